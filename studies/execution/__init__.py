"""Running the trials of a study: in this process, on this machine, or on a Ray cluster."""
