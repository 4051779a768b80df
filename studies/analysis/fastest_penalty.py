"""The penalty with which ADMM agrees fastest, in trials to which the closed form applies exactly.

:mod:`topologies.admm_rate` has the formula. It holds for relaxed ADMM with relaxation 1/2 on the mean
problem, in synchronous rounds whose messages all arrive.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import networkx as nx
import pandas as pd

from studies.spec.manifest import StudyRecord
from studies.storage.store import Store
from topologies import spectrum

PENALTY = "consensus.penalty"

SOURCE = "Bastianello et al. 2021"
"""Of the recursion; see :mod:`topologies.admm_rate`."""

MOST_NODES = 64
"""Of graphs whose penalty is computed: those that are not regular need some hundred eigenvalue problems."""

_CONSENSUS = {"algorithm", "activation", "activation_rate", "penalty", "compute", "budget", "curve_every"}
"""Settings of consensus on which the fastest penalty does not depend; the activation rate is not used."""


def by_trial(study: StudyRecord, store: Store) -> dict[str, float]:
    """Hash of each finished trial to which the closed form applies -> the fastest penalty on its graph.

    Empty unless the study varies the penalty. The graph is that of the trial's table of traffic: a family's,
    connected, with at most ``MOST_NODES`` nodes; the links of a graph file may have settings of their own.
    """
    if study.workload != "problem" or PENALTY not in study.varied:
        return {}
    known: dict[frozenset[tuple[int, int]], float] = {}
    found = {}
    for trial in store.having(study, "traffic"):
        traffic = store.table(trial, "traffic")
        if traffic is None or not applies(store.settings(trial), store.identity(trial) or {}):
            continue
        links = _links(traffic)
        if links not in known:
            known[links] = _fastest(nx.Graph(sorted(links)))
        if known[links] > 0:
            found[trial.hash] = known[links]
    return found


def applies(settings: Mapping[str, Any], identity: Mapping[str, Any]) -> bool:
    """Whether the closed form applies to a trial: whether nothing that changes the recursion is set.

    Args:
        settings: all of the trial's, as plain data.
        identity: those that differ from the defaults; see :mod:`testbed.identity`.
    """
    full = settings.get("consensus", {})
    differing, network = identity.get("settings", {}), identity.get("network", {})
    return (
        settings.get("workload") == "problem"
        and settings.get("problem", {}).get("name") == "mean"
        and full.get("algorithm") == "relaxed_admm"
        and full.get("activation") == "synchronous"
        and isinstance(full.get("compute"), int | float)
        and set(differing) <= {"workload", "problem", "consensus"}
        and set(differing.get("consensus", {})) <= _CONSENSUS
        and set(network) <= {"link", "audit"}
        and set(network.get("link", {})) <= {"delay"}
        and isinstance(network.get("link", {}).get("delay", 0), int | float)
        and settings.get("topology", {}).get("file") is None
    )


def _links(traffic: pd.DataFrame) -> frozenset[tuple[int, int]]:
    ways = traffic[["source", "destination"]].astype(int).to_numpy().tolist()
    return frozenset((min(u, v), max(u, v)) for u, v in ways)


def _fastest(graph: nx.Graph[int]) -> float:
    """The penalty; 0 if it is not computed."""
    if not 2 <= len(graph) <= MOST_NODES or not nx.is_connected(graph):
        return 0.0
    return spectrum.summary(graph).best_penalty
