"""Names of nodes for people: those of the file that a graph was read from, or else their numbers."""

from __future__ import annotations

from collections import Counter

import networkx as nx

LONGEST = 40
"""Characters of a name; longer ones are cut."""


def node_names(graph: nx.Graph[int]) -> list[str]:
    """Return a name for each node in ascending order, each different, on one line and without control marks.

    A node's name is its attribute `label`, which graphs from files have; without one, or where it is the
    number itself, the number as text. Names that several nodes share get the number in brackets.
    """
    named = [(node, _shown(graph.nodes[node].get("label", node))) for node in sorted(graph)]
    times = Counter(name for _, name in named)
    return [name if times[name] == 1 and name else f"{name} ({node})".lstrip() for node, name in named]


def has_names(graph: nx.Graph[int]) -> bool:
    """Whether names say more than the numbers of the nodes."""
    return node_names(graph) != [str(node) for node in sorted(graph)]


def _shown(label: object) -> str:
    text = "".join(letter if letter.isprintable() else "?" for letter in " ".join(str(label).split()))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
