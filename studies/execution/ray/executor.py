"""Runs trials as tasks of a Ray cluster.

Ray reports how a task ended, and the executor reacts as follows:

- *the node is dead or unreachable*: the trial restarts on another node and resumes from its checkpoint, which
  is stored with the results. After ``LOSSES`` lost nodes, the next loss is a failure.
- *the worker process ended*, by itself or killed by Ray because its node had run out of memory: the trial has
  failed, and the others continue, as in the local pool. When a machine goes down, its workers may die
  noticeably earlier than Ray's own process; their trials then count as failed, and are repeated when the
  study is next run.
- *the trial raised*: it has failed, with its traceback.

The loss of the cluster's head ends the study: Ray Client reports it after half a minute; without it, Ray ends
this process after a minute. The same command resumes the study.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic

import ray
from ray.exceptions import (
    LocalRayletDiedError,
    NodeDiedError,
    OutOfMemoryError,
    RayError,
    RayTaskError,
    WorkerCrashedError,
)
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from studies.execution import host_resources
from studies.execution.executor import (
    Event,
    Failed,
    Held,
    Memory,
    Perform,
    Progressed,
    Retried,
    Started,
    TaskT,
    unknown,
)
from studies.execution.ray import cluster
from studies.execution.ray.worker import Mailbox, News, Token, carry_out
from studies.spec.document import StudyError

LOSSES = 3
"""Number of lost nodes after which a trial is still restarted; one more loss is a failure."""

SETTLE = 2.0
"""Wall seconds before a restart: workers notice the loss of their node late, and write until then."""

LOOK_AGAIN = 0.25
"""Wall seconds between two polls for the reports of running trials."""

PATIENCE = 30.0
"""Wall seconds without a running trial after which a line reports it."""

STOPPING = 10.0
"""Wall seconds that running trials have to exit when the study is stopped."""

UNREAD = 100
"""Reports of one worker that may be in flight to a mailbox that does not answer; further ones are dropped."""


class RayExecutor(Generic[TaskT]):
    """Runs each task with one processor, its GPUs and its estimated memory, on any node with room for it.

    The nodes need the same versions of this package and its dependencies and, under the same paths,
    ``folder`` and the files that the study names. A task that needs GPUs sees those alone that it has for
    itself. Workers have one arithmetic thread; their output is in Ray's logs.

    Args:
        address: of a cluster, which is left running; None: one is started on this machine, and stopped.
        jobs: maximum number of concurrent tasks; None: as many as an existing cluster has room for, or one
            per processor of a new one.
        perform: function that carries out a task; must be importable.
        folder: the results folder; all nodes must share it, which is checked first.
        memory: estimated peak memory of a task's process in bytes, or None. More than the largest node has
            counts as all of that node.
        gpus: number of GPUs that a task has for itself.
    """

    def __init__(
        self,
        address: str | None,
        jobs: int | None,
        perform: Perform[TaskT],
        folder: Path,
        *,
        memory: Memory[TaskT] = unknown,
        gpus: Callable[[TaskT], int] = lambda _: 0,
    ) -> None:
        self.address = address
        self.jobs = jobs
        self.perform = perform
        self.folder = folder
        self.memory = memory
        self.gpus = gpus

    def run(self, tasks: Sequence[TaskT]) -> Generator[Event, None, None]:
        """Yields what happens until every task has finished or failed; stops all work when it is closed.

        Raises:
            StudyError: the cluster cannot be joined, is lost, or has nodes that cannot run tasks; one line.
        """
        if not tasks:
            return
        on = self.address or "ray"
        with (
            cluster.connected(self.address, self.jobs or host_resources.processors()),
            cluster.shared(self.folder, on) as (token, largest),
        ):
            peaks = [self.memory(task) for task in tasks]
            if largest is not None:
                peaks = [peak if peak is None else min(peak, largest) for peak in peaks]
            try:
                gpus = [self.gpus(task) for task in tasks]
                yield from _Run(self.perform, tasks, peaks, gpus, self.jobs, token).events()
            except (RayError, ConnectionError) as error:
                reason = str(error).strip().splitlines()[0]
                raise StudyError(f"--on {on}: Ray has given up: {reason}") from error


def lost(index: int, node: str, times: int) -> Retried | Failed:
    """The event for a task that has lost its node this many times."""
    if times > LOSSES:
        return Failed(index, f"the trial has lost its node {times} times, most recently {node}\n")
    return Retried(index, f"node {node} was lost")


class _Run:
    """The tasks of one study on a cluster that this process is connected to."""

    def __init__(
        self,
        perform: Perform[Any],
        tasks: Sequence[Any],
        peaks: Sequence[int | None],
        gpus: Sequence[int],
        jobs: int | None,
        token: Token,
    ) -> None:
        self.perform = perform
        self.tasks = tasks
        self.peaks = peaks
        self.gpus = gpus
        self.jobs = jobs or len(tasks)
        self.token = token
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
        self.mailbox: Any = (
            ray.remote(Mailbox)
            .options(num_cpus=0, max_restarts=-1, max_pending_calls=UNREAD, scheduling_strategy=here)
            .remote()
        )
        self.asked = self.mailbox.take.remote()
        self.waiting = deque(range(len(tasks)))
        self.resting: list[tuple[float, int]] = []
        """The time at which to restart a task whose node was lost."""
        self.running: dict[Any, int] = {}
        """Ray's reference to each task submitted to it."""
        self.begun: set[int] = set()
        self.losses: Counter[int] = Counter()
        self.nodes: dict[int, str] = {}

    def events(self) -> Generator[Event, None, None]:
        last, said = time.monotonic(), False
        try:
            while self.waiting or self.resting or self.running:
                if not ray.is_initialized():  # Ray would start another cluster on the next request
                    raise ConnectionError("its head no longer answers")
                now = time.monotonic()
                self.waiting += [index for due, index in self.resting if due <= now]
                self.resting = [(due, index) for due, index in self.resting if due > now]
                while self.waiting and len(self.running) < self.jobs:
                    self._submit(self.waiting.popleft())
                if self.running:
                    ended, _ = ray.wait(list(self.running), timeout=LOOK_AGAIN)
                else:
                    ended = []
                    time.sleep(LOOK_AGAIN)
                for event in (*self._news(), *(event for ref in ended for event in self._ended(ref))):
                    last = time.monotonic()
                    yield event
                if not said and not self.nodes and time.monotonic() - last > PATIENCE:
                    said = True
                    room = "room and a GPU" if any(self.gpus) else "room"
                    yield Held(f"no trial has run for {PATIENCE:g} s: does the cluster have {room} for one?")
        finally:
            self._stop()

    def _submit(self, index: int) -> None:
        options: dict[str, Any] = {"num_cpus": 1, "max_retries": 0}
        if (peak := self.peaks[index]) is not None:
            options["memory"] = peak
        if self.gpus[index]:
            options["num_gpus"] = self.gpus[index]
        ref = (
            ray.remote(carry_out)
            .options(**options)
            .remote(self.perform, index, self.losses[index], self.tasks[index], self.token, self.mailbox)
        )
        self.running[ref] = index

    def _news(self) -> Iterator[Event]:
        """Reports of running tasks since the last call."""
        answered, _ = ray.wait([self.asked], timeout=0)
        if not answered:
            return
        try:
            news: list[News] = ray.get(self.asked)
        except RayError:  # its node is lost, with the mailbox's contents; Ray starts another
            news = []
        self.asked = self.mailbox.take.remote()
        running = set(self.running.values())
        for index, number, node, event in news:
            if index not in running or number != self.losses[index]:  # a report of an attempt that is over
                continue
            self.nodes[index] = node
            yield from self._begin(index)
            if isinstance(event, Progressed):
                yield event

    def _begin(self, index: int) -> Iterator[Event]:
        if index not in self.begun:
            self.begun.add(index)
            yield Started(index)

    def _ended(self, ref: Any) -> Iterator[Event]:
        index = self.running.pop(ref)
        yield from self._begin(index)
        node = self.nodes.pop(index, "of the trial")
        try:
            unsent, ended = ray.get(ref)
        except (NodeDiedError, LocalRayletDiedError):
            self.losses[index] += 1
            event = lost(index, node, self.losses[index])
            if isinstance(event, Retried):
                self.resting.append((time.monotonic() + SETTLE, index))
            yield event
        except WorkerCrashedError:
            yield Failed(index, f"the process of this trial, on node {node}, ended by itself\n")
        except OutOfMemoryError as error:
            yield Failed(index, f"{error}\nRay ended this trial: node {node} ran out of memory\n")
        except RayTaskError as error:  # the trial never started: its settings could not be read there
            yield Failed(index, f"{error}\n")
        else:
            if unsent is not None:
                yield unsent
            yield ended

    def _stop(self) -> None:
        """Cancels running tasks and waits for them: nothing may be written after the study has stopped."""
        if not ray.is_initialized():  # the cluster is lost, and its tasks with it
            return
        running = list(self.running)
        with suppress(ConnectionError):  # or is being lost
            for ref in running:
                ray.cancel(ref, force=True)
            if running:
                ray.wait(running, num_returns=len(running), timeout=STOPPING)
            ray.kill(self.mailbox)
