"""The numbers of each agent and direction as named scalars, for dashboards."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import topologies
from studies.spec.study import TrialSpec

AGENT_AXES = ("update", "steps", "seconds", "agent")
"""Columns of an agent's row that are not measurements."""

LINK_COLUMNS = ("dropped", "utilisation")
"""Columns of a direction's row that are shown: with all of them, large graphs would fill a dashboard."""


def tag_names(trial: TrialSpec) -> dict[int, str]:
    """Agent -> its name, if the file of the trial's graph names the nodes; otherwise empty.

    Characters that TensorBoard would replace or split at are underscores.
    """
    given = topologies.given_names(trial.graph())
    return {node: re.sub(r"[^\w.]+", "_", name).strip("_") for node, name in given.items()}


def series_scalars(
    agents: Sequence[Mapping[str, float]],
    links: Sequence[Mapping[str, float]],
    names: Mapping[int, str],
) -> Iterator[tuple[str, float]]:
    """Names and values of one update's rows: ``agents/return/0``, ..., ``links/dropped/0-1``, ...

    With ``names``, from :func:`tag_names`: ``agents/return/0_Bern``, ``links/dropped/0-1_Bern-Basel``.
    See :data:`testbed.training.trainer.Series` for the rows.
    """
    for row in agents:
        for name in (name for name in row if name not in AGENT_AXES):
            yield f"agents/{name}/{_tag([int(row['agent'])], names)}", row[name]
    for row in links:
        ends = [int(row["source"]), int(row["destination"])]
        for name in (name for name in LINK_COLUMNS if name in row):
            yield f"links/{name}/{_tag(ends, names)}", row[name]


def _tag(nodes: Sequence[int], names: Mapping[int, str]) -> str:
    number = "-".join(map(str, nodes))
    words = [names.get(node) or str(node) for node in nodes]
    return number if words == list(map(str, nodes)) else f"{number}_{'-'.join(words)}"
