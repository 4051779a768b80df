"""Settings, units, registries, files, checkpoints and errors, for every package of the testbed."""
