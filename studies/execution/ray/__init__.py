"""Running trials on a Ray cluster."""
