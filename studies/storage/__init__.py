"""The folder of a study's results."""
