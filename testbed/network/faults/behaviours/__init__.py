"""The behaviours of lying agents, one in each module."""
