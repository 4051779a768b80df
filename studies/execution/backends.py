"""The backends on which the trials of a study run, as ``--on`` names them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from studies.execution import host_resources, main_guard, requirements, runner
from studies.execution.executor import Executor
from studies.execution.local_pool import LocalPool
from studies.execution.ray.address import parse_address
from studies.spec.document import StudyError

LOCAL, RAY = "local", "ray"


def executor(on: str, jobs: int | None, folder: Path) -> Executor[runner.Task]:
    """The executor of a backend.

    Args:
        on: ``local``; ``ray``: a running cluster, or else a temporary one on this machine; ``HOST:PORT`` of a
            cluster's head; or ``ray://HOST:PORT`` of its Ray Client server.
        jobs: concurrent trials; None: one per processor, or as many as an existing cluster has room for.
        folder: the results folder.

    Raises:
        StudyError: the name is none of these, the cluster does not answer, or Ray is not installed; or worker
            processes would run the calling script again (:mod:`studies.execution.main_guard`); one line.
    """
    estimate = requirements.peaks()

    def memory(task: runner.Task) -> int | None:
        return estimate(task.trial)

    def gpus(task: runner.Task) -> int:
        return requirements.gpus(task.trial)

    if on == LOCAL:
        main_guard.check()
        return LocalPool(jobs or host_resources.processors(), runner.perform, memory=memory)
    if on != RAY:
        parse_address(on, f"--on {on}")  # a malformed address is an error even without Ray
    if importlib.util.find_spec("ray") is None:
        raise StudyError(f"--on {on}: needs the extra `ray`: pip install 'consensus-testbed[ray]'")
    from studies.execution.ray import cluster
    from studies.execution.ray.executor import RayExecutor

    address = cluster.find(None if on == RAY else on)
    return RayExecutor(address, jobs, runner.perform, folder, memory=memory, gpus=gpus)
