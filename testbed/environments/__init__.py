"""Batched multi-agent environments and their PettingZoo faces.

`make(name, ...)` gives a `BatchedEnvironment`, `parallel(name, ...)` a PettingZoo `ParallelEnv`; `NAMES`
lists what there is, and `settings(name, ...)` checks options without building anything.
"""

from testbed.environments.batched import BatchedEnvironment
from testbed.environments.registry import NAMES, make, parallel, settings

__all__ = ["NAMES", "BatchedEnvironment", "make", "parallel", "settings"]
