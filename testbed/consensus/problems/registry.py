"""Convex consensus problems by name, with a known optimum: minimise sum_q f_q(s) over a common s."""

from typing import Annotated

from testbed.common.registry import Registry
from testbed.consensus.problems.base import ConvexProblemSettings

PROBLEMS = Registry("problems", ConvexProblemSettings, "testbed.consensus.problems")

ProblemSettings = Annotated[ConvexProblemSettings, PROBLEMS]
"""A problem by name, with its options."""
