"""Names of nodes for people: those of the file that a graph was read from, or else their numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

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


def node_title(graph: nx.Graph[int], node: int) -> str:
    """Return "3 (Zürich)": the number that settings use, and the name if the file gives one."""
    return titled(str(node), node_names(graph)[sorted(graph).index(node)])


def link_title(graph: nx.Graph[int], u: int, v: int, joint: str = "-") -> str:
    """Return "0-1 (Zürich - Bern)", or "0>1 (Zürich > Bern)" for the joint ">", as `node_title`."""
    row = {node: index for index, node in enumerate(sorted(graph))}
    names = node_names(graph)
    return named_link(u, v, {node: names[index] for node, index in row.items()}, joint)


def named_link(u: int, v: int, names: Mapping[int, str] | Sequence[str], joint: str = "-") -> str:
    """Return the title of a link whose nodes have these names; see `link_title`."""
    ends = titled(f"{u}{joint}{v}", f"{names[u]} {joint} {names[v]}")
    return ends if (names[u], names[v]) != (str(u), str(v)) else f"{u}{joint}{v}"


def titled(number: str, name: str) -> str:
    """Return a number with a name in brackets, unless that is the number itself."""
    return number if name == number else f"{number} ({name})"


def _shown(label: object) -> str:
    text = "".join(letter if letter.isprintable() else "?" for letter in " ".join(str(label).split()))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
