"""What every package of the testbed uses: settings, units, files, checkpoints, errors."""
