"""Treasure collection, after Iqbal & Sha (2019, arXiv 1810.02912)."""
