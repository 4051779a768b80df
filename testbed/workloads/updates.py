"""Single policy updates of a training trial, run again with a trace of their network."""

import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import networkx as nx

from testbed.common import checkpoints
from testbed.consensus.consensus_run import Observer
from testbed.network.trace.excerpt import Excerpt, Full
from testbed.network.trace.trace import Trace
from testbed.training.trainer import Row, Trainer
from testbed.workloads.running import checkpoint_identity, make_trainer
from testbed.workloads.settings import TrainingWorkload


@dataclass(frozen=True)
class RecordedUpdate:
    """One policy update that was run again.

    Attributes:
        update: its number, from 1.
        trace: its events; the faults that lasted already are among the `restorations`.
        row: its row of the training table; empty if the run ended at the limit of events.
        complete: whether the trace has all of its events.
    """

    update: int
    trace: Trace
    row: Row
    complete: bool


def record_updates(
    trial: TrainingWorkload,
    *,
    seed: int,
    graph: "nx.Graph[int]",
    updates: Collection[int],
    limit: int | None = None,
    observe: Callable[[int, Trace], Observer] | None = None,
    checkpoint: Path | None = None,
) -> Iterator[RecordedUpdate]:
    """Trains up to the last of some updates, and yields each of them, in order, as it has been run.

    The events are those of the whole run, at the same simulated times: what happens before an update is run
    as well, from the checkpoint if it is one of this trial before all of the updates, or from the start.

    Args:
        trial, seed, graph: as for :func:`testbed.workloads.run`.
        updates: their numbers, from 1.
        limit: largest number of events of each trace; None: no limit.
        observe: makes an observer of the agreements of an update, from its number and its growing trace.
        checkpoint: where the trial's checkpoint is, if there is one; None: start from the beginning.

    Raises:
        ValueError: an update is not one of the trial's; or as :func:`testbed.workloads.run` does.
    """
    wanted = sorted(set(updates))
    if not wanted or wanted[0] < 1 or wanted[-1] > trial.training.updates:
        raise ValueError(f"updates: {wanted} must be from 1 to training.updates, {trial.training.updates}")
    excerpt = Excerpt(limit)
    if wanted[0] == 1:
        excerpt.begin(last=wanted == [1])  # faults from 0 s begin as the network is built
    with closing(make_trainer(trial, seed=seed, graph=graph, trace=excerpt)) as trainer:
        if checkpoint is not None and wanted[0] > 1:
            _resume(trainer, checkpoint, checkpoint_identity(trial, seed, graph), wanted[0])
        for number in range(trainer.update + 1, wanted[-1] + 1):
            if number not in wanted:
                trainer.communication.consensus.observer = None
                trainer.advance()
                continue
            if number > 1:
                excerpt.begin(last=number == wanted[-1])
                trainer.network.note_faults(excerpt)
            trainer.communication.consensus.observer = None if observe is None else observe(number, excerpt)
            row: Row = {}
            with suppress(Full):  # raised only in the last one
                row = trainer.advance()
            complete = not excerpt.full
            yield RecordedUpdate(number, excerpt.take(), row, complete)


def _resume(trainer: Trainer, checkpoint: Path, identity: str, first: int) -> None:
    """Go on from a checkpoint that lies before the update `first`; a useless one is reported and ignored."""
    if not trainer.collector.environment.saves_state:  # it would go on with other episodes
        return
    try:
        state = checkpoints.resume(checkpoint, identity)
    except checkpoints.CheckpointError as error:
        warnings.warn(f"{error}; running from the start", RuntimeWarning, stacklevel=2)
        return
    if state is not None and len(state["rows"]["values"]) < first:
        trainer.load_state_dict(state)
