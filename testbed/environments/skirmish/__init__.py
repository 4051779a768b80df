"""Skirmish: team battles with the interface of the StarCraft Multi-Agent Challenge."""
