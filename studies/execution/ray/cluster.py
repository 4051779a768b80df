"""Connects to a Ray cluster, or starts one on this machine for the duration of a study."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray._private import ray_constants
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from studies.execution.executor import ONE_THREAD
from studies.execution.ray.address import parse_address
from studies.execution.ray.worker import Token, look
from studies.spec.document import StudyError
from studies.storage.provenance import versions
from testbed.common.environment_variables import environment_variables

LOOPBACK = "127.0.0.1"

OBJECTS = 80 * 2**20
"""Bytes of Ray's object store in a temporary cluster, about the least allowed: results go to files."""

ANSWER = 5.0
"""Wall seconds within which a cluster's address must accept a connection."""

CONNECTIONS = 3
"""Number of attempts to connect by `ray://` while a cluster's head cannot start a server for the driver."""

NOT_STARTED = ("Starting Ray client server failed", "psutil.ZombieProcess", "psutil.NoSuchProcess")
"""What a head says if its new process died at once, which happens where a process that uses gRPC forks.

The latter two: it died between Ray's question whether it lives and that for its command line.
"""

LOOK = 120.0
"""Wall seconds within which every node must have started a worker and checked for the results folder."""

VARIABLES = {
    **ONE_THREAD,
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else Ray warns of what it hides from trials without a GPU
}
"""Environment variables of all workers."""


def find(on: str | None) -> str | None:
    """The address of a running cluster that answers; None if there is none and one must be started.

    Args:
        on: ``HOST:PORT`` or ``ray://HOST:PORT``; None: the address in ``RAY_ADDRESS``, or else of a cluster
            that ``ray start`` has left running on this machine, if there is one.

    Raises:
        StudyError: this is not an address, or it does not answer; one line.
    """
    address, said = on, f"--on {on}"
    if address is None:
        address = os.environ.get("RAY_ADDRESS")
        said = f"RAY_ADDRESS={address}"
    if not address:
        return _left_running()
    place = parse_address(address, said)
    try:
        socket.create_connection(place, ANSWER).close()  # Ray itself would try for minutes
    except OSError as error:
        raise StudyError(f"{said}: nothing answers there: {error.strerror or error}") from error
    return address


def _left_running() -> str | None:
    folder = os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()
    file = Path(folder) / "ray" / "ray_current_cluster"
    if not file.is_file():
        return None
    address = file.read_text().strip()
    try:
        socket.create_connection(parse_address(address, str(file)), ANSWER).close()
    except OSError:  # it has ended without removing its record
        return None
    return address


@contextmanager
def connected(address: str | None, processors: int) -> Iterator[None]:
    """Makes this process a driver of a cluster.

    Args:
        address: of an existing cluster, which stays up; None: a new one is started, which listens only to
            this machine, has this process's Python path, and ends with the connection.
        processors: number of processors of a new cluster.

    Raises:
        StudyError: the cluster cannot be started or joined, because it has another version of Ray, say, or
            because this process is already a driver; one line.
    """
    if ray.is_initialized():
        raise StudyError(f"--on {address or 'ray'}: this process is already connected to a Ray cluster")
    before = signal.getsignal(signal.SIGTERM)
    try:
        try:
            if address is None:
                _start(processors)
            else:
                _init(address, runtime_env={"env_vars": VARIABLES})
        except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            raise StudyError(f"--on {address or 'ray'}: no connection: {_reason(error)}") from error
        finally:
            if before is not None and threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, before)  # Ray has replaced the command line's signal handlers
        yield
    finally:
        ray.shutdown()


def _start(processors: int) -> None:
    # Ray listens on all interfaces if it may be one node of many, whatever address it is given.
    variables = {
        **VARIABLES,  # workers inherit it from the first process, even those that Ray starts in advance
        "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    possible = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        with environment_variables(variables):
            _init("local", num_cpus=processors, object_store_memory=OBJECTS, include_dashboard=False)
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = possible
    if (here := ray.util.get_node_ip_address()) != LOOPBACK:
        raise RuntimeError(
            f"Ray {ray.__version__} listens on the network, at {here}; start it with `ray start`"
        )


def _init(address: str, **more: Any) -> None:
    for left in reversed(range(CONNECTIONS)):
        try:
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **more)
        except ConnectionAbortedError as error:
            if not left or not any(died in str(error) for died in NOT_STARTED):
                raise
        else:
            return


def _reason(error: Exception) -> str:
    """The line of Ray's message that says what happened: the last one where the first announces it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[-1] if lines[0].endswith(":") else lines[0]


@contextmanager
def shared(folder: Path, on: str) -> Iterator[tuple[Token, int | None]]:
    """Checks that all nodes see the folder and have the same code, before anything runs on them.

    Yields a token that stays in the folder until the end, for nodes that join later, and the memory in bytes
    of the largest node; None if there are no nodes yet.

    Raises:
        StudyError: a node fails the check; the message names it.
    """
    token = Token(folder.absolute() / f".shared.{secrets.token_hex(8)}", secrets.token_hex(16))
    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
    token.path.parent.mkdir(parents=True, exist_ok=True)
    try:
        token.path.write_text(token.text)
        _look(nodes, token, on)
        yield token, max((int(node["Resources"].get("memory", 0)) for node in nodes), default=None)
    finally:
        token.path.unlink(missing_ok=True)


def _look(nodes: list[dict[str, Any]], token: Token, on: str) -> None:
    asked = {
        ray.remote(look)
        .options(
            num_cpus=0,
            max_retries=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False),
        )
        .remote(token): node["NodeManagerAddress"]
        for node in nodes
    }
    answered, _ = ray.wait(list(asked), num_returns=len(asked), timeout=LOOK) if asked else ([], [])
    ours = versions()
    for answer, node in asked.items():
        if answer not in answered:
            raise StudyError(f"--on {on}: node {node} has started no worker in {LOOK:g} s")
        try:
            here, theirs = ray.get(answer)
        except ray.exceptions.RayError as error:
            reason = str(error).strip().splitlines()[-1]
            raise StudyError(f"--on {on}: node {node} cannot run this package: {reason}") from error
        if not here:
            raise StudyError(
                f"--on {on}: node {node} does not see --out {token.path.parent}: it must be on a file system"
                " that all nodes share, under the same path"
            )
        if other := differing(ours, theirs):
            raise StudyError(f"--on {on}: node {node} has {other}: results would not be the same")


def differing(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    """The version differences between a node and this process; empty if results will be the same."""
    names = [name for name in ours if name != "platform" and theirs.get(name) != ours[name]]
    return ", ".join(f"{name} {theirs.get(name, 'unknown')} (here {ours[name]})" for name in names)
