"""A stand-in for the StarCraft Multi-Agent Challenge, without StarCraft II; see `smac.env`."""
