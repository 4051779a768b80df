"""Graphs between agents and their spectra (NetworkX)."""
