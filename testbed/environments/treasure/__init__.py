"""Treasure collection, after Iqbal & Sha (2019, arXiv 1810.02912)."""

from testbed.environments.treasure.environment import Treasure, TreasureSettings

__all__ = ["Treasure", "TreasureSettings"]
