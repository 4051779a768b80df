"""The numbers of each agent and direction as named scalars, for dashboards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

AGENT_AXES = ("update", "steps", "seconds", "agent")
"""Columns of an agent's row that are not measurements."""

LINK_COLUMNS = ("dropped", "utilisation")
"""Columns of a direction's row that are shown: with all of them, large graphs would fill a dashboard."""


def series_scalars(
    agents: Sequence[Mapping[str, float]], links: Sequence[Mapping[str, float]]
) -> Iterator[tuple[str, float]]:
    """Names and values of one update's rows: ``agents/return/0``, ..., ``links/dropped/0-1``, ...

    See :data:`testbed.training.trainer.Series` for the rows.
    """
    for row in agents:
        for name in (name for name in row if name not in AGENT_AXES):
            yield f"agents/{name}/{int(row['agent'])}", row[name]
    for row in links:
        for name in (name for name in LINK_COLUMNS if name in row):
            yield f"links/{name}/{int(row['source'])}-{int(row['destination'])}", row[name]
