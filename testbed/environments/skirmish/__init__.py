"""Skirmish: team battles with the interface of the StarCraft Multi-Agent Challenge."""

from testbed.environments.skirmish.environment import Skirmish, SkirmishSettings

__all__ = ["Skirmish", "SkirmishSettings"]
