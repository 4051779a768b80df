"""Batched multi-agent environments and their PettingZoo faces.

`make(name, ...)` gives a `BatchedEnvironment`, `parallel(name, ...)` a PettingZoo `ParallelEnv`; `NAMES`
lists the names, and `settings(name, ...)` checks options without building anything. In a study file they
are an `EnvironmentSettings`, with `DEFAULT` where no name is given.
"""

from typing import TYPE_CHECKING

from testbed.environments import registry
from testbed.environments.base import BaseEnvironmentSettings
from testbed.environments.batched import BatchedEnvironment
from testbed.environments.registry import (
    DEFAULT,
    ENVIRONMENTS,
    EnvironmentSettings,
    make,
    parallel,
    settings,
    settings_of,
)

__all__ = [
    "DEFAULT",
    "ENVIRONMENTS",
    "NAMES",
    "OUTSIDE",
    "BaseEnvironmentSettings",
    "BatchedEnvironment",
    "EnvironmentSettings",
    "make",
    "parallel",
    "settings",
    "settings_of",
]

if TYPE_CHECKING:
    from testbed.environments.registry import NAMES, OUTSIDE
else:

    def __getattr__(name):
        """Look up NAMES and OUTSIDE on access."""
        if name in ("NAMES", "OUTSIDE"):
            return getattr(registry, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
