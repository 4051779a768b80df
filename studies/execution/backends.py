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
        on: ``local``; ``ray``: a cluster that runs already, or else one of this machine's own; ``HOST:PORT``
            of a cluster's head; or ``ray://HOST:PORT`` of its Ray Client server.
        jobs: trials at once; None: this machine's processors, or as a cluster that exists has room.
        folder: of the results.

    Raises:
        StudyError: it is none of these, nobody answers there, or Ray is not installed; or processes of this
            machine would run the calling script once more (:mod:`studies.execution.main_guard`); one line.
    """
    estimate = requirements.peaks()

    def memory(task: runner.Task) -> int | None:
        return estimate(task.trial)

    if on == LOCAL:
        main_guard.check()
        return LocalPool(jobs or host_resources.processors(), runner.perform, memory=memory)
    if on != RAY:
        parse_address(on, f"--on {on}")  # what is wrong with it is wrong without Ray too
    if importlib.util.find_spec("ray") is None:
        raise StudyError(f"--on {on}: needs the extra `ray`: pip install 'consensus-testbed[ray]'")
    from studies.execution.ray import cluster
    from studies.execution.ray.executor import RayExecutor

    address = cluster.find(None if on == RAY else on)
    return RayExecutor(address, jobs, runner.perform, folder, memory=memory)
