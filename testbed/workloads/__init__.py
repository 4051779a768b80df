"""The three workloads a trial can run: a convex problem, one policy update, a training run."""

from testbed.training.trainer import Progress
from testbed.workloads.running import WorkloadResult, make_trainer, run
from testbed.workloads.settings import (
    LearningWorkload,
    ProblemWorkload,
    TrainingWorkload,
    UpdateSettings,
    UpdateWorkload,
    Workload,
)
from testbed.workloads.updates import RecordedUpdate, record_updates

__all__ = [
    "LearningWorkload",
    "ProblemWorkload",
    "Progress",
    "RecordedUpdate",
    "TrainingWorkload",
    "UpdateSettings",
    "UpdateWorkload",
    "Workload",
    "WorkloadResult",
    "make_trainer",
    "record_updates",
    "run",
]
