"""The training loop: rollouts, updates over the network, evaluation, checkpoints."""
