"""Names of links and agents in study files, and the error messages for names that do not exist."""

import re

import networkx as nx

import topologies
from testbed.common.suggestions import closest

Link = tuple[int, int]
"""The ends of a link, the smaller first."""


def parse_link(name: str) -> tuple[int, int]:
    """The two nodes of a link named like "0-1". Raises ValueError if it is not such a name."""
    match = re.fullmatch(r"([0-9]{1,9})-([0-9]{1,9})", name)
    if match is None:
        raise ValueError(f'link {name!r} must be two node numbers joined by a hyphen, such as "0-1"')
    return _two(name, match)


def parse_directions(name: str) -> tuple[tuple[int, int], ...]:
    """The (source, destination) pairs of "0-1", both directions of a link, or "0>1", one of them.

    Raises ValueError if it is not such a name.
    """
    match = re.fullmatch(r"([0-9]{1,9})>([0-9]{1,9})", name)
    if match is not None:
        return (_two(name, match),)
    u, v = parse_link(name)
    return (u, v), (v, u)


def _two(name: str, match: re.Match[str]) -> tuple[int, int]:
    u, v = int(match.group(1)), int(match.group(2))
    if u == v:
        raise ValueError(f"link {name!r} joins a node to itself")
    return u, v


def nearest_link(name: str, graph: "nx.Graph[int]") -> str:
    """``: did you mean '0-1'?``, with the names of its nodes, or that there are no links at all."""
    near = closest(name, (f"{u}-{v}" for u, v in graph.edges), cutoff=0.0)
    if not near:
        return ", which has no links"
    title = topologies.link_title(graph, *parse_link(near))
    return f": did you mean {near!r}{title.removeprefix(near)}?"


def unknown_link(name: str, graph: "nx.Graph[int]") -> str | None:
    """The error in the name of a link; None if the graph has it."""
    if graph.has_edge(*parse_link(name)):
        return None
    return f"{name!r} is not a link of this graph{nearest_link(name, graph)}"


def unknown_agent(agent: int, graph: "nx.Graph[int]") -> str | None:
    """The error in the number of an agent; None if the graph has it."""
    if agent in graph:
        return None
    first, last = (topologies.node_title(graph, end) for end in (min(graph), max(graph)))
    return f"{agent} is not an agent of this network: they are {first} to {last}"
