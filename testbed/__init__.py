"""The testbed: a simulated network, consensus on it, environments, and the loop that couples them."""
