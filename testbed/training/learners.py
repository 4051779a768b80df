"""Learners by name: the values of `algorithm` in a study file."""

from typing import Annotated

from policies.algorithms.learner import LearnerSettings
from policies.algorithms.matrpo import MatrpoSettings
from testbed.common.registry import Registry

LEARNERS = Registry("learners", LearnerSettings, "policies.algorithms", default="matrpo")

DEFAULT = MatrpoSettings()
"""The algorithm of studies that do not name one."""

AlgorithmSettings = Annotated[LearnerSettings, LEARNERS]
"""An algorithm by name, with its options. Without a `name` it is MATRPO."""
