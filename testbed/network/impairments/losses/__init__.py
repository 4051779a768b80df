"""Loss models, a module each: see `testbed.network.impairments.loss`."""
