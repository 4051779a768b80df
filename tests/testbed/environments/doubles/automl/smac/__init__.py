"""What `pip install smac` brings: another package of that name, which nobody here should even import."""

raise RuntimeError("the hyper-parameter optimiser was imported")
