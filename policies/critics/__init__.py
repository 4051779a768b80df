"""Value functions: critics of one agent or of all, and their fitting."""
