"""Learning algorithms; each is given functions that provide agreement, and never sees a network."""
