"""Running a trial: a convex problem, one policy update, or a training run."""

import math
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from numbers import Integral
from pathlib import Path

import networkx as nx
import numpy as np

from policies.algorithms.learner import check_finite
from testbed.common import checkpoints
from testbed.common.finite import learning_from, named_errors
from testbed.consensus.consensus_run import Measure, Observer
from testbed.consensus.coupled_optimum import coupled_optimum
from testbed.consensus.problems.base import ConsensusProblem, Signal
from testbed.consensus.registry import make_consensus
from testbed.consensus.settings import ConsensusSettings
from testbed.identity import content_of, digest, essence, paths, with_contents
from testbed.network import Network, NetworkSettings, Streams, Trace
from testbed.training import warm_start
from testbed.training.communication import NetworkCommunication
from testbed.training.trainer import Progress, Row, Series, Trainer
from testbed.training.warm_start import Start
from testbed.workloads.network_tables import ConsensusLinks, Table, names_table, network_tables
from testbed.workloads.settings import ProblemWorkload, TrainingWorkload, UpdateWorkload


@dataclass(frozen=True)
class Hooks:
    """Observers of a running trial, which must change nothing.

    Attributes:
        progress: called as the trial goes on.
        trace: records all events on the network.
        observer: observes agreements as they run.
        series: called after each update of training with the rows of its agents and links.
    """

    progress: Progress | None = None
    trace: Trace | None = None
    observer: Observer | None = None
    series: Series | None = None


@dataclass
class WorkloadResult:
    """Results of a trial: one row of final numbers, and curves and other tables by name as rows.

    ``models`` is the final state of the learner of a training run, None for other workloads. ``versions`` are
    those of the programs outside the testbed that played, such as a game; several are separated by commas,
    in order, where a run was resumed with others.
    """

    metrics: Row
    curves: dict[str, Table] = field(default_factory=dict)
    models: dict[str, object] | None = field(default=None, repr=False)
    versions: dict[str, str] = field(default_factory=dict)


def run(
    trial: ProblemWorkload | UpdateWorkload | TrainingWorkload,
    *,
    seed: int,
    graph: "nx.Graph[int]",
    progress: Progress | None = None,
    checkpoint: Path | None = None,
    batches: Path | None = None,
    trace: Trace | None = None,
    observer: Observer | None = None,
    series: Series | None = None,
) -> WorkloadResult:
    """Run a trial; apart from wall times, the result depends only on the settings, the seed and the graph.

    ``progress(phase, done, total, numbers)`` is called as it goes. A training run saves ``checkpoint`` after
    every update and resumes from it when it exists; an update keeps the batch it starts from, and the models
    that played it, in the folder ``batches``, where trials with the same start find them.
    ``observer`` observes agreements, and must change nothing. ``series(update, agents, links)`` gets
    the rows of each update of training in the tables ``agents`` and ``links``.

    Raises:
        ValueError: the trial is not a trial, the graph is not undirected with the agents 0..n-1 as nodes or
        does not suit the algorithm, or the checkpoint belongs to another trial.
    """
    _check(trial, seed, graph)
    trial.check(graph)
    hooks = Hooks(progress, trace, observer, series)
    if isinstance(trial, ProblemWorkload):
        result = _problem(trial, seed, graph, hooks)
    elif isinstance(trial, UpdateWorkload):
        result = _update(trial, seed, graph, hooks, batches)
    else:
        result = _training(trial, seed, graph, hooks, checkpoint)
    result.curves |= names_table(graph)
    return result


def _check(trial: object, seed: object, graph: object) -> None:
    """Raise ValueError, one line, unless these are a trial, a seed, and a graph of the trial's agents."""
    if not isinstance(trial, ProblemWorkload | UpdateWorkload | TrainingWorkload):
        raise ValueError(
            f"trial: got {type(trial).__name__}, must be a ProblemWorkload, UpdateWorkload or"
            " TrainingWorkload"
        )
    if isinstance(seed, bool) or not isinstance(seed, Integral) or int(seed) < 0:
        raise ValueError(f"seed: {seed!r} is not a whole number of at least 0")
    if not isinstance(graph, nx.Graph) or graph.is_directed() or graph.is_multigraph():
        raise ValueError(
            f"topology: got {type(graph).__name__}, must be an undirected networkx.Graph without"
            " parallel links"
        )
    if len(graph) != trial.agents:
        raise ValueError(f"topology: has {len(graph)} nodes for {trial.agents} agents, needs one for each")
    for node in graph:
        if isinstance(node, bool) or not isinstance(node, Integral) or int(node) not in range(trial.agents):
            raise ValueError(
                f"topology: has the node {node!r}, must have the agents 0 to {trial.agents - 1}, as"
                " networkx.convert_node_labels_to_integers makes them"
            )
    for loop in nx.selfloop_edges(graph):
        raise ValueError(f"topology: has a link from {loop[0]} to itself")


def _problem(trial: ProblemWorkload, seed: int, graph: "nx.Graph[int]", hooks: Hooks) -> WorkloadResult:
    streams = Streams(seed)
    problem = trial.problem.make(streams)
    error = _error(problem, graph, trial.consensus.coupling)
    network = _network(graph, trial.network, streams, hooks.trace)
    links = ConsensusLinks(network)
    consensus = make_consensus(network, trial.consensus, streams)
    consensus.observer = hooks.observer
    progress = links.observing(_steps(trial.consensus, hooks.progress))
    result = consensus.agree(problem.local, measure=error, progress=progress)
    metrics = {**result.flat(), **network.metrics()}
    curves = {"consensus": result.curve, **links.table(result.curve), **network_tables(network)}
    return WorkloadResult(metrics, curves)


def _network(
    graph: "nx.Graph[int]", settings: NetworkSettings, streams: Streams, trace: Trace | None
) -> Network:
    """A network in its only update, to which faults from 0 s belong as well."""
    if trace is not None:
        trace.announce_update(1)
    network = Network(graph, settings, streams, trace=trace)
    network.announce_update(1)
    return network


def _error(problem: ConsensusProblem, graph: "nx.Graph[int]", coupling: float | None) -> Measure:
    """The root mean square over agents of |s_q - s_q*|, relative to that of |s_q*|.

    s_q* is the optimum of all agents together, the same for each; with a ``coupling`` gamma, agent q's part
    of the signals that minimise sum_q f_q(s_q) + sum over the graph's links of (gamma / 2) |s_i - s_j|^2.
    """
    optima: Sequence[Signal] = [problem.optimum] * len(problem.local)
    size = float(np.linalg.norm(problem.optimum))
    if coupling is not None:
        optima = list(coupled_optimum(problem.local, list(graph.edges), coupling, problem.optimum))
        size = _root_mean_square([np.linalg.norm(optimum) for optimum in optima])
    scale = size or 1.0

    def error(signals: Sequence[Signal]) -> dict[str, float]:
        apart = [np.linalg.norm(s - optimum) for s, optimum in zip(signals, optima, strict=True)]
        return {"error": _root_mean_square(apart) / scale}

    return error


def _root_mean_square(values: Sequence[np.floating]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def _update(
    trial: UpdateWorkload,
    seed: int,
    graph: "nx.Graph[int]",
    hooks: Hooks,
    batches: Path | None,
) -> WorkloadResult:
    wanted = trial.update
    start = warm_start.prepare(
        trial.environment,
        trial.algorithm,
        samples=wanted.samples,
        warmup=wanted.warmup,
        seed=seed,
        models=wanted.models,
        batch=wanted.batch,
        folder=batches,
        progress=None if hooks.progress is None else partial(hooks.progress, "warmup"),
    )
    streams = Streams(seed)
    network = _network(graph, trial.network, streams, hooks.trace)
    consensus = make_consensus(network, trial.consensus, streams)
    consensus.observer = hooks.observer
    links = ConsensusLinks(network)
    progress = links.observing(_steps(trial.consensus, hooks.progress))
    communication = NetworkCommunication(consensus, progress)
    with named_errors(trial.algorithm.name, 1), learning_from(start.batch, trial.environment.name):
        learnt = _learn(start, communication)
        check_finite(start.learner.state_dict(), learnt, trial.agents)
    curve = communication.take_curve()
    curves = {"consensus": curve, **links.table(curve), **network_tables(network)}
    return WorkloadResult({**learnt, **communication.metrics()}, curves, versions=start.versions)


def _learn(start: Start, communication: NetworkCommunication) -> Row:
    """One update, and what it gains on a batch not learnt from, by critics not yet fitted to the other."""
    learner, generator = start.learner, start.streams.generator("learning")
    before = learner.theta.clone()
    advantages, _, _ = learner.estimate_advantages(start.holdout)
    learnt = learner.learn(start.batch, communication, generator)
    return {
        **learnt,
        "heldout_gain": learner.gain(start.holdout, advantages, before),
        "heldout_played_gain": learner.played_gain(start.holdout, advantages, before),
    }


def make_trainer(
    trial: TrainingWorkload, *, seed: int, graph: "nx.Graph[int]", trace: Trace | None = None
) -> Trainer:
    """The training run that a trial describes, before its first update; raises ValueError as `run` does."""
    _check(trial, seed, graph)
    return Trainer(
        environment=trial.environment,
        algorithm=trial.algorithm,
        network=trial.network,
        consensus=trial.consensus,
        loop=trial.training,
        graph=graph,
        seed=seed,
        trace=trace,
    )


def checkpoint_identity(trial: TrainingWorkload, seed: int, graph: "nx.Graph[int]") -> str:
    """The identity under which a training trial's checkpoints are saved."""
    links = sorted((*sorted(link), repr(sorted(own.items()))) for *link, own in graph.edges(data=True))
    said = {name: value for name, value in essence(trial).items() if name != "environment"}
    return digest(
        {
            "trial": with_contents(said, {str(file): content_of(file) for file in paths(trial)}),
            "environment": trial.environment.meaning(),
            "seed": seed,
            "links": links,
        }
    )


def _training(
    trial: TrainingWorkload,
    seed: int,
    graph: "nx.Graph[int]",
    hooks: Hooks,
    checkpoint: Path | None,
) -> WorkloadResult:
    trainer = make_trainer(trial, seed=seed, graph=graph, trace=hooks.trace)
    trainer.communication.consensus.observer = hooks.observer
    identity = checkpoint_identity(trial, seed, graph)
    with closing(trainer):
        if checkpoint is not None and (state := checkpoints.resume(checkpoint, identity)) is not None:
            trainer.load_state_dict(state)
        trainer.train(hooks.progress, checkpoint, identity, hooks.series)
    rows = trainer.rows
    metrics = {
        **rows[-1],
        **_lately(rows[-max(1, len(rows) // 10) :]),
        "return_first": rows[0]["return"],
        **trainer.communication.metrics(),
    }
    curves: dict[str, Table] = {"training": rows, "consensus": trainer.consensus_rows}
    series = {"agents": trainer.agent_rows, "links": trainer.links.rows()}
    curves |= {name: table for name, table in series.items() if table} | network_tables(trainer.network)
    versions = trainer.collector.played_by()
    return WorkloadResult(metrics, curves, models=trainer.learner.state_dict(), versions=versions)


def _lately(rows: Sequence[Row]) -> Row:
    """Means of everything measured on episodes, over the rows that have a value."""
    means = {}
    for name in rows[0]:
        if name.startswith(("return", "evaluation_")):
            values = [row[name] for row in rows if not math.isnan(row[name])]
            means[name] = float(np.mean(values)) if values else math.nan
    return means


def _steps(consensus: ConsensusSettings, progress: Progress | None) -> Callable[[Row], None] | None:
    """Forward every tenth row of a consensus curve as progress."""
    if progress is None:
        return None
    total = consensus.budget.activations or 0

    def hear(row: Row) -> None:
        if int(row["activations"]) % 10 == 0:
            progress("consensus", int(row["activations"]), total, row)

    return hear
