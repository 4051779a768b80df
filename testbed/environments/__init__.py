"""Batched multi-agent environments and their PettingZoo faces.

`make(name, ...)` gives a `BatchedEnvironment`, `parallel(name, ...)` a PettingZoo `ParallelEnv`; `NAMES`
lists what there is, and `settings(name, ...)` checks options without building anything. In a study file they
are an `EnvironmentSettings`, with `DEFAULT` for those who do not name one.
"""

from testbed.environments.batched import BatchedEnvironment
from testbed.environments.registry import (
    DEFAULT,
    NAMES,
    OUTSIDE,
    EnvironmentSettings,
    make,
    parallel,
    settings,
    settings_of,
)

__all__ = [
    "DEFAULT",
    "NAMES",
    "OUTSIDE",
    "BatchedEnvironment",
    "EnvironmentSettings",
    "make",
    "parallel",
    "settings",
    "settings_of",
]
