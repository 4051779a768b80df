"""Value functions: critics of one agent or of all, and how they are fitted."""
