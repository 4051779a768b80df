"""The starting point of an ``update`` workload: models, and the batch that they played."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np

from policies.algorithms.matrpo import Matrpo, MatrpoSettings
from policies.batch import Batch
from testbed.common import checkpoints
from testbed.common.settings import SettingError
from testbed.consensus.settings import ConsensusSettings
from testbed.environments import EnvironmentSettings
from testbed.environments.batched import BatchedEnvironment
from testbed.identity import content_of, digest, essence
from testbed.network import NetworkSettings, Streams
from testbed.training.stored_models import load_models
from testbed.training.trainer import LoopSettings, Row, Trainer, spaces

Warmed = Callable[[int, int, Row], None]


@dataclass(frozen=True)
class Start:
    """A learner with the batch it has just collected, and the random streams at that point.

    ``holdout`` is a second batch by the same policies, which measures what was learnt from the first; it is
    collected even where the first was stored in a file. ``versions`` are those of programs outside the
    testbed that played.
    """

    learner: Matrpo
    batch: Batch
    holdout: Batch
    streams: Streams
    versions: dict[str, str] = field(default_factory=dict)


OF_THE_UPDATE = ("step", "solver", "kl_safeguard", "fisher", "radius", "curvature", "where_inactive")
"""Settings of the algorithm that do not affect a trial's start, so that trials can compare their values."""


def prepare(
    environment: EnvironmentSettings,
    algorithm: MatrpoSettings,
    *,
    samples: int,
    warmup: int,
    seed: int,
    models: Path | None = None,
    batch: Path | None = None,
    folder: Path | None = None,
    progress: Warmed | None = None,
) -> Start:
    """Make ``warmup`` updates, then collect; or load the result that an earlier trial has kept in ``folder``.

    The start does not depend on a trial's topology, network and consensus: the warm-up agrees over a
    perfect complete graph with default settings, and uses the defaults ``OF_THE_UPDATE``. It begins from
    ``models`` stored by a training trial, or from untrained ones. A stored ``batch`` replaces the collected
    one; the batch that is not learnt from is collected in any case.

    Raises:
        SettingError: the stored models or the stored batch do not suit this environment and algorithm.
    """
    usual = _usual(algorithm)
    source = Trainer(
        environment=environment,
        algorithm=usual,
        network=NetworkSettings(),
        consensus=ConsensusSettings(),
        loop=LoopSettings(updates=warmup + 1, samples=samples),
        graph=nx.complete_graph(environment.agents),
        seed=seed,
    )
    if models is not None:
        load_models(models, source.learner)
    name = identity(
        environment, algorithm, samples=samples, warmup=warmup, seed=seed, models=models, batch=batch
    )
    kept = None if folder is None else folder / name
    state = _load(kept, name) if kept is not None and kept.exists() else None
    if state is not None:
        source.learner.load_state_dict(state["learner"])
        source.streams.load_state_dict(state["streams"])
        played, holdout = Batch(**state["batch"]), Batch(**state["holdout"])
        versions = dict(state.get("versions", {}))
    else:
        for done in range(warmup):
            source.advance()
            if progress is not None:
                progress(done + 1, warmup, source.rows[-1])
        given = None if batch is None else _stored(batch, source)
        # Both are played with a stored batch, too: it may be the first of them, never the second.
        played, holdout = _collect(source), _collect(source)
        played = played if given is None else given
        versions = source.collector.played_by()
        if kept is not None:
            state = {
                "learner": source.learner.state_dict(),
                "streams": source.streams.state_dict(),
                "batch": vars(played),
                "holdout": vars(holdout),
                "versions": versions,
            }
            kept.parent.mkdir(parents=True, exist_ok=True)
            # Two trials may get here at once: each writes its own file, and the last one remains.
            checkpoints.save(kept, state, name)
    source.close()
    learner = Matrpo(algorithm, spaces(source.collector.environment), Streams(seed).generator("initial"))
    learner.load_state_dict(source.learner.state_dict())
    return Start(learner, played, holdout, source.streams, versions)


def identity(
    environment: EnvironmentSettings,
    algorithm: MatrpoSettings,
    *,
    samples: int,
    warmup: int,
    seed: int,
    models: Path | None = None,
    batch: Path | None = None,
) -> str:
    """The name under which a starting point is stored: a digest of everything that it depends on."""
    files = {"models": models, "stored": batch}
    origin = {name: content_of(file) for name, file in files.items() if file is not None}
    return digest(
        {
            "batch": {"samples": samples, "warmup": warmup, "seed": seed, **origin},
            "environment": environment.meaning(),
            "algorithm": essence(_usual(algorithm)),
        }
    )


def _usual(algorithm: MatrpoSettings) -> MatrpoSettings:
    defaults = MatrpoSettings()
    return algorithm.model_copy(update={name: getattr(defaults, name) for name in OF_THE_UPDATE})


def _load(kept: Path, identity: str) -> dict[str, Any] | None:
    """Starting point stored by an earlier trial; None, with a warning, if it is damaged."""
    try:
        return checkpoints.load(kept, identity)
    except checkpoints.DamagedError as error:
        warnings.warn(f"{error}; made again", stacklevel=3)
        return None


def _collect(source: Trainer) -> Batch:
    actions = source.streams.generator("actions")
    return source.collector.collect(source.learner, source.steps, actions)[0]


def _stored(path: Path, source: Trainer) -> Batch:
    batch = Batch.load(path)
    check_batch(batch, path, source.collector.environment)
    return batch


BATCH = ("update", "batch")
"""The keys of the setting that names a stored batch."""


def check_batch(batch: Batch, path: Path, world: BatchedEnvironment) -> None:
    """Raise SettingError if a stored batch cannot have been played in `world`: one line, with the file."""
    shape, needed = batch.observations.shape[2:], (world.agents, world.observation_size)
    if shape != needed:
        raise SettingError(
            BATCH, f"{path} has observations of shape {shape}, needs {needed}", field="update.batch"
        )
    spaces = world.action_spaces
    if batch.actions.shape[3:] != spaces.shape or (batch.actions.dtype.kind == "f") != (spaces.kind == "Box"):
        played = f"{batch.actions.dtype} actions of shape {batch.actions.shape[3:]}"
        needed_kind = f"those of {spaces.kind} of shape {spaces.shape}"
        raise SettingError(BATCH, f"{path} has {played}, needs {needed_kind}", field="update.batch")
    if spaces.kind != "Box":  # what is outside a Box is clipped when it is played
        flat = batch.flat_actions
        wrong = np.argwhere(~spaces.within(flat))
        if len(wrong):
            sample, agent = wrong[0]
            raise SettingError(
                BATCH,
                f"{path} has the action {flat[sample, agent].tolist()} of agent {agent}, must be from"
                f" {spaces.allowed(agent)}",
                field="update.batch",
            )
    if batch.masks is not None and batch.masks.shape[3] != world.action_size:
        raise SettingError(
            BATCH,
            f"{path} has masks of {batch.masks.shape[3]} actions, needs {world.action_size}",
            field="update.batch",
        )
