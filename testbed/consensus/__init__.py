"""Consensus algorithms on the simulated network, and the sequential references they are compared with."""
