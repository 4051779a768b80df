"""Worlds that others made, behind the batched interface: PettingZoo's and the real StarCraft II."""
