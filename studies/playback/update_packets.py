"""The packets of the policy update that learnt models came from, by link, as stored results hold them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import networkx as nx
import numpy as np

from studies.spec.document import StudyError
from studies.spec.study import TrialSpec
from studies.storage.store import Store
from testbed import workloads
from testbed.network.link_names import Link

COLUMNS = ("update", "source", "destination", "delivered", "dropped")


@dataclass(frozen=True)
class Packets:
    """Packets of both directions of a link."""

    delivered: int
    dropped: int


@dataclass(frozen=True)
class UpdatePackets:
    """The network of a trial, and the packets of one policy update on it.

    Attributes:
        graph: its topology.
        title: the update in words, or the reason why there are no packets to show.
        links: packets of every link that carried any; None: they were not recorded.
    """

    graph: nx.Graph[int]
    title: str
    links: Mapping[Link, Packets] | None = field(default=None)


def of_models(trial: TrialSpec, store: Store, models: Path) -> UpdatePackets | None:
    """The packets of the update after which models were stored; None if their learner sends none on links.

    Args:
        trial: the trial that is played.
        store: its results.
        models: the file of the models; only those of the finished trial itself have a record.

    Raises:
        StudyError: the stored record is damaged; one line.
    """
    settings = trial.settings
    if not isinstance(settings, workloads.LearningWorkload) or not settings.algorithm.over_links:
        return None
    graph = trial.graph()
    if models != store.models(trial):
        return UpdatePackets(graph, "packets unknown: these models are from --checkpoint")
    if models == store.claims.checkpoint(trial):
        return UpdatePackets(graph, "packets are stored once the trial is finished")
    if (
        store.status(trial) != "finished"
        or not (store.trials / trial.hash / "curves_links.parquet").is_file()
    ):
        return UpdatePackets(graph, "the trial's results hold no packets by link")
    return _last_update(trial, store, graph)


def _last_update(trial: TrialSpec, store: Store, graph: nx.Graph[int]) -> UpdatePackets:
    place = f"trial {trial.hash}: curves_links.parquet"
    table = store.read_table(trial, "curves_links")
    for name in COLUMNS:
        if name not in table.column_names:
            raise StudyError(f"{place}: lacks the column {name!r}")
    columns = {name: table[name].to_numpy().astype(float) for name in COLUMNS}
    if not table.num_rows or not all(np.isfinite(values).all() for values in columns.values()):
        raise StudyError(f"{place}: must have rows, and finite numbers in {', '.join(COLUMNS)}")
    last = columns["update"].max()
    found: dict[Link, Packets] = {}
    for row in np.flatnonzero(columns["update"] == last):
        source, destination, delivered, dropped = (int(columns[name][row]) for name in COLUMNS[1:])
        link = min(source, destination), max(source, destination)
        if not {source, destination} <= set(graph):
            raise StudyError(
                f"{place}: has packets between {source} and {destination}, which are not agents of the trial"
            )
        before = found.get(link, Packets(0, 0))
        found[link] = Packets(before.delivered + delivered, before.dropped + dropped)
    return UpdatePackets(graph, f"packets of policy update {last:.0f}, the last", found)
