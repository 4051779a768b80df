"""Stacked networks: a network per policy, all computed at once."""
