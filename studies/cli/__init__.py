"""The command line ``testbed``."""
