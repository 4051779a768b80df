"""Hypothesis by `HYPOTHESIS_PROFILE`: `everyday` repeats its examples, `nightly` tries thousands."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "nightly", max_examples=5000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("everyday", derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "everyday"))
