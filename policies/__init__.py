"""What agents learn with: joint policies, natural gradients and the algorithms built on them."""
