"""Batched multi-agent environments and their PettingZoo faces."""
