"""Faults of links and agents, and when they happen."""
