"""Graphs in GML, as the Internet Topology Zoo has them, and in NetworkX's node-link JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import networkx as nx

from topologies.errors import TopologyError


def read_gml(path: Path) -> nx.Graph[Hashable]:
    """Return the graph in a GML file, nodes by their `id`; their names stay in the attribute `label`.

    Raises TopologyError for anything else; OSError and UnicodeDecodeError if it cannot be read.
    """
    text = path.read_text(encoding="utf-8-sig")
    # GML is ASCII with entities for all other letters; many files have these as they are.
    lines = text.encode("ascii", "xmlcharrefreplace").decode("ascii").splitlines()
    try:
        graph: nx.Graph[Hashable] = nx.parse_gml(lines, label="id")
    # What NetworkX's tokens and conversions raise on damaged files.
    except (
        *(nx.NetworkXException, ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
        *(RecursionError, StopIteration),
    ) as error:
        twice = re.match(r"edge #\d+ \((.*)(?:--|->)(.*)\) is duplicated", str(error))
        if twice is not None:
            raise TopologyError(f"more than one link between {twice[1]} and {twice[2]}") from error
        raise TopologyError(f"not well-formed GML ({error})") from error
    return graph


def read_json(path: Path) -> nx.Graph[Hashable]:
    """Return the graph in a node-link JSON file: `nodes` with an `id`, and `links` or `edges` with a
    `source` and a `target`; `directed`, `multigraph` and `graph` are optional.

    Raises TopologyError for anything else; OSError and UnicodeDecodeError if it cannot be read.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        raise
    except (ValueError, RecursionError) as error:
        raise TopologyError(f"not well-formed JSON ({error})") from error
    if not isinstance(data, dict):
        raise TopologyError("not a mapping with nodes and links")
    if len(given := [key for key in ("links", "edges") if key in data]) != 1:
        raise TopologyError("must have either links or edges, one of the two")
    kind: Any = {
        (False, False): nx.Graph,
        (True, False): nx.DiGraph,
        (False, True): nx.MultiGraph,
        (True, True): nx.MultiDiGraph,
    }.get((data.get("directed", False), data.get("multigraph", False)))
    if kind is None:
        raise TopologyError("directed and multigraph must be true or false")
    graph: nx.Graph[Hashable] = kind()
    graph.graph.update(_mapping(data.get("graph", {}), "graph"))
    for number, entry in enumerate(_listed(data, "nodes")):
        node = _mapping(entry, f"nodes.{number}")
        name = _node(node, "id", f"nodes.{number}")
        if name in graph:
            raise TopologyError(f"nodes.{number}: more than one node {name}")
        graph.add_nodes_from([(name, {key: value for key, value in node.items() if key != "id"})])
    for number, entry in enumerate(_listed(data, given[0])):
        where = f"{given[0]}.{number}"
        link = _mapping(entry, where)
        ends = [_node(link, end, where) for end in ("source", "target")]
        for end, name in zip(("source", "target"), ends, strict=True):
            if name not in graph:
                raise TopologyError(f"{where}: a link whose {end} is {name}, which is not a node of the file")
        if not graph.is_multigraph() and graph.has_edge(*ends):
            raise TopologyError(f"{where}: repeats the link between {ends[0]} and {ends[1]}")
        attributes = {key: value for key, value in link.items() if key not in ("source", "target", "key")}
        graph.add_edges_from([(ends[0], ends[1], attributes)])
    return graph


def _mapping(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TopologyError(f"{where}: must be a mapping, got {type(value).__name__}")
    return value


def _listed(data: dict[str, Any], key: str) -> list[Any]:
    value = data.get(key)
    if not isinstance(value, list):
        raise TopologyError(f"{key}: must be a list")
    return value


def _node(entry: dict[str, Any], key: str, where: str) -> Hashable:
    name = entry.get(key)
    if isinstance(name, bool) or not isinstance(name, str | int):
        raise TopologyError(f"{where}: {key} must be text or a whole number")
    return name
