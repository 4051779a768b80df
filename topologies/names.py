"""Names of nodes for people: those of the file that a graph was read from, or else their numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import networkx as nx

LONGEST = 40
"""Characters of a name; longer ones are cut."""


def node_names(graph: nx.Graph[int]) -> list[str]:
    """Return a name for each node in ascending order, each different, on one line and without control marks.

    A node's name is its attribute `label`, which graphs from files have; without one, or where it is empty
    or the number itself, the number as text. Names that several nodes share get the number in brackets, as do
    those that this would make the same.
    """
    named = [(node, _shown(graph.nodes[node].get("label", node)) or str(node)) for node in sorted(graph)]
    shared = {name for name, times in Counter(name for _, name in named).items() if times > 1}
    while True:
        shown = [f"{name} ({node})" if name in shared else name for node, name in named]
        times = Counter(shown)
        clashing = {name for (_, name), each in zip(named, shown, strict=True) if times[each] > 1} - shared
        if not clashing:
            return shown
        shared |= clashing


def names_by_node(graph: nx.Graph[int]) -> dict[int, str]:
    """Return the name of each node, in ascending order of the nodes; see `node_names`."""
    return dict(zip(sorted(graph), node_names(graph), strict=True))


def given_names(graph: nx.Graph[int]) -> dict[int, str]:
    """Return the name of each node, as `names_by_node`, if names say more than numbers; otherwise nothing."""
    names = names_by_node(graph)
    return names if any(name != str(node) for node, name in names.items()) else {}


def has_names(graph: nx.Graph[int]) -> bool:
    """Whether names say more than the numbers of the nodes."""
    return bool(given_names(graph))


def node_title(graph: nx.Graph[int], node: int) -> str:
    """Return "3 (Zürich)": the number that settings use, and the name if the file gives one."""
    return named_node(node, names_by_node(graph))


def named_node(node: int, names: Mapping[int, str]) -> str:
    """Return the title of a node with one of these names, its number if there is none; see `node_title`."""
    name = names.get(node, str(node))
    return str(node) if name == str(node) else f"{node} ({name})"


def link_title(graph: nx.Graph[int], u: int, v: int, joint: str = "-") -> str:
    """Return "0-1 (Zürich - Bern)", or "0>1 (Zürich > Bern)" for the joint ">", as `node_title`."""
    return named_link(u, v, names_by_node(graph), joint)


def named_link(u: int, v: int, names: Mapping[int, str], joint: str = "-") -> str:
    """Return the title of a link whose nodes have these names, or their numbers; see `link_title`."""
    number = f"{u}{joint}{v}"
    first, second = names.get(u, str(u)), names.get(v, str(v))
    named = (first, second) != (str(u), str(v))
    return f"{number} ({first} {joint} {second})" if named else number


def _shown(label: object) -> str:
    text = "".join(letter if letter.isprintable() else "?" for letter in " ".join(str(label).split()))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
