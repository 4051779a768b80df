"""Needs PySC2, as the real one does."""

import pysc2_that_is_not_installed  # noqa: F401
