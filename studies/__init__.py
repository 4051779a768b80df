"""Study files, the runner, the store, figures and the command line."""
