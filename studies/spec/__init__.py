"""A study file, from YAML to a list of checked trials."""
