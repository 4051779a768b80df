"""A StarCraft Multi-Agent Challenge without the packages it needs."""
