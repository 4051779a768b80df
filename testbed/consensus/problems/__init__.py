"""Convex problems with known optima, to try consensus algorithms on."""
