"""Learning algorithms; each is handed a function that provides agreement and never sees a network."""
