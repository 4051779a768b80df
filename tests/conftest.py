"""Hypothesis by `HYPOTHESIS_PROFILE`: `default`, or `nightly`, which tries thousands of everything."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "nightly", max_examples=5000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
