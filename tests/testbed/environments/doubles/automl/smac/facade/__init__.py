"""As in the hyper-parameter optimiser."""
