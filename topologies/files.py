"""Graphs from files: GraphML, GML, JSON, edge list, adjacency matrix; all become a simple graph on 0..n-1."""

from __future__ import annotations

import ast
import csv
import math
import warnings
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import Any

import networkx as nx
from networkx.readwrite.graphml import GraphMLReader

from topologies.errors import TopologyError, listed, suggestion
from topologies.families import MOST, in_order
from topologies.gml_and_json import read_gml, read_json

MOST_BYTES = 200_000_000
"""Largest size of files that are read."""


def read(path: str | Path, *, allow_disconnected: bool = False) -> nx.Graph[int]:
    """Return the graph in a file as an undirected simple graph on the nodes 0..n-1.

    The ending decides the format: `.graphml`; `.edgelist`, `.edges` or `.txt` (a link a line: two names, then
    nothing, a weight, or a Python dictionary of attributes, as NetworkX writes; `#` starts a comment);
    `.csv` (a square symmetric matrix, with or without a row and column of names; entries other than 0 and 1
    become the attribute `weight`); `.gml`; `.json` (NetworkX's node-link data).

    Nodes are numbered in the order of the file, except that names which are exactly 0..n-1 are
    kept; the node attribute `label` keeps the file's name (or the `label` a GraphML file gives). Attributes
    of nodes, links and graph are kept, except for the graph's `family`, "file", and `name`, the file's stem.
    They are not interpreted here: `testbed.network.graph_attributes` defines the link attributes that set
    delay and rate, and their units. A `weight` sets nothing.

    Raises TopologyError, naming the file and the line or link, for a missing or malformed file, fewer than
    two nodes, self-loops, repeated links, links that differ by direction, and (unless `allow_disconnected`)
    more than one component.
    """
    if not isinstance(path, str | Path):
        raise TopologyError(f"file: {type(path).__name__} is not the path of a graph file")
    path = Path(path)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        hint = (
            " (FNSS and XML other than GraphML are not read)"
            if path.suffix.lower() == ".xml"
            else suggestion(path.suffix, _READERS)
        )
        raise TopologyError(
            f"{path}: cannot read {path.suffix or 'a file without ending'!r}{hint}; {_ENDINGS}"
        )
    try:
        size = path.stat().st_size  # unlike `exists`, this reports a folder that may not be read
        if not path.is_file():
            raise TopologyError("is not a file")
        if size > MOST_BYTES:
            raise TopologyError(f"has {size:,} bytes, more than the {MOST_BYTES:,} that are read")
        graph = _simple(reader(path))
    except FileNotFoundError as error:
        raise TopologyError(f"{path}: no such file") from error
    except UnicodeDecodeError as error:
        raise TopologyError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error
    except OSError as error:
        raise TopologyError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        if not isinstance(error, TopologyError):  # of `stat`: the name holds a null character
            raise TopologyError(f"{str(path)!r}: is not the name of a file ({error})") from error
        raise TopologyError(f"{path}: {_one_line(str(error))}") from error
    if not allow_disconnected and not nx.is_connected(graph):
        sizes = sorted((len(part) for part in nx.connected_components(graph)), reverse=True)
        raise TopologyError(
            f"{path}: not connected ({len(sizes)} parts of {listed(sizes)} nodes); set allow_disconnected"
        )
    return in_order(graph, {**graph.graph, "family": "file", "name": path.stem})


def _one_line(message: str) -> str:
    """Shorten a message that quotes a file, possibly with line ends, control characters, long names."""
    words = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(message.split()))
    return words if len(words) <= 400 else f"{words[:250]} ... {words[-140:]}"


def _simple(graph: nx.Graph[Hashable]) -> nx.Graph[int]:
    """Return `graph` undirected with integer nodes, or raise TopologyError if that would lose something."""
    if len(graph) > MOST:
        raise TopologyError(f"{len(graph):,} nodes are more than the {MOST:,} that a graph can have")
    if len(graph) < 2:
        raise TopologyError(f"{len(graph)} nodes; at least 2 are needed")
    if graph.is_multigraph():
        times = Counter(edge[:2] if graph.is_directed() else frozenset(edge[:2]) for edge in graph.edges)
        raise TopologyError(f"more than one link between {_pair(times.most_common(1)[0][0])}")
    for loop in nx.selfloop_edges(graph):
        raise TopologyError(f"a link from {loop[0]} to itself")
    if graph.is_directed():
        for u, v, attributes in graph.edges(data=True):
            if not graph.has_edge(v, u):
                raise TopologyError(f"a link from {u} to {v} but none back; links here go both ways")
            # An edge id names one direction; everything else must be the same for both.
            if {**graph.edges[v, u], "id": None} != {**attributes, "id": None}:
                raise TopologyError(f"the link from {u} to {v} has other attributes than the link back")
    return _numbered(nx.Graph(graph))


def _numbered(graph: nx.Graph[Any]) -> nx.Graph[int]:
    names = [str(node) for node in graph]
    if set(names) == {str(number) for number in range(len(names))}:
        numbers = [int(name) for name in names]  # names that are 0..n-1: "0-3" must still mean those nodes
    else:
        numbers = list(range(len(names)))
    for node, name in zip(graph, names, strict=True):
        graph.nodes[node].setdefault("label", name)
    return nx.relabel_nodes(graph, dict(zip(graph, numbers, strict=True)))


def _pair(nodes: Iterable[Hashable]) -> str:
    ends = sorted(str(node) for node in nodes)
    return f"{ends[0]} and {ends[-1]}"  # a node linked to itself has one end


class _StrictGraphMLReader(GraphMLReader):
    """NetworkX's reader, made strict: by itself it creates nodes that a link names and the file lacks."""

    def add_node(self, G: Any, node_xml: Any, graphml_keys: Any, defaults: Any) -> None:
        name = node_xml.get("id")
        if name is None:
            raise TopologyError("a node without an id")
        if name in G:
            raise TopologyError(f"more than one node {name}")
        super().add_node(G, node_xml, graphml_keys, defaults)

    def add_edge(self, G: Any, edge_element: Any, graphml_keys: Any) -> None:
        for end in ("source", "target"):
            name = edge_element.get(end)
            if name not in G:
                raise TopologyError(f"a link whose {end} is {name}, which is not a node of the file")
        super().add_edge(G, edge_element, graphml_keys)


def _graphml(path: Path) -> nx.Graph[Hashable]:
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "GraphML port tag not supported"
        )  # ports are the ends of a drawing's lines
        warnings.filterwarnings("error", "No key type")
        try:
            graphs = list(_StrictGraphMLReader()(path=path))
        except (TopologyError, OSError):
            raise
        # The XML parser's ParseError is a SyntaxError, an encoding that it does not know a LookupError; the
        # others come from NetworkX's conversions.
        except (
            *(SyntaxError, LookupError, nx.NetworkXException, ValueError, TypeError, AttributeError),
            *(ArithmeticError, RecursionError, UserWarning),
        ) as error:
            raise TopologyError(f"not well-formed GraphML ({error})") from error
    if len(graphs) != 1:
        raise TopologyError(f"{len(graphs)} <graph> in the GraphML namespace; exactly one is needed")
    graph: nx.Graph[Hashable] = graphs[0]
    for name in ("node_default", "edge_default"):
        defaults = graph.graph.pop(name)
        for *_, attributes in graph.nodes(data=True) if name == "node_default" else graph.edges(data=True):
            for key, value in defaults.items():  # the reader omits them, though the file gives them
                attributes.setdefault(key, value)
    return graph


def _edge_list(path: Path) -> nx.Graph[Hashable]:
    graph: nx.Graph[Hashable] = nx.Graph()
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        words = line.partition("#")[0].split(maxsplit=2)
        if not words:
            continue
        if len(words) == 1:
            raise TopologyError(f"line {number}: {line.strip()!r} must be two names, and attributes if any")
        u, v = words[:2]
        attributes = _attributes(words[2], number) if len(words) == 3 else {}
        if graph.has_edge(u, v) and graph.edges[u, v] != attributes:
            raise TopologyError(
                f"line {number}: repeats the link between {_pair((u, v))} with other attributes"
            )
        graph.add_edges_from([(u, v, attributes)])
    return graph


def _attributes(text: str, line: int) -> dict[str, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's own warnings, such as "invalid decimal literal"
            value = ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):  # as literal_eval documents
        value = None
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"weight": value}
    raise TopologyError(
        f"line {line}: {text!r} is neither a weight nor a dictionary such as {{'delay': 0.005}}"
    )


def _adjacency(path: Path) -> nx.Graph[Hashable]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(row)]
        except csv.Error as error:
            raise TopologyError(f"line {reader.line_num}: not CSV ({error})") from error
    try:
        names, rows = _names(rows)
    except TopologyError as error:
        if _reads_like_links([row for _, row in rows]):
            raise TopologyError(
                f"{error}; its lines read like links, not like an adjacency matrix: write two names and a"
                " space between them, and name the file .edgelist"
            ) from error
        raise
    matrix = [[_entry(cell, line) for cell in row] for line, row in rows]
    graph: nx.Graph[Hashable] = nx.Graph()
    graph.add_nodes_from(names)
    weighted = any(entry not in (0, 1) for row in matrix for entry in row)
    for i, u in enumerate(names):
        for j, v in enumerate(names):
            if matrix[i][j] != matrix[j][i]:
                raise TopologyError(
                    f"{matrix[i][j]:g} from {u} to {v} but {matrix[j][i]:g} back; it must be symmetric"
                )
            if matrix[i][j] and i <= j:
                graph.add_edge(u, v, **({"weight": matrix[i][j]} if weighted else {}))
    return graph


def _reads_like_links(rows: list[list[str]]) -> bool:
    """Whether each row has two names, or three with a weight, between commas or spaces or semicolons."""
    lengths = {len([word for cell in row for word in cell.replace(";", " ").split()]) for row in rows}
    return len(rows) > 3 and lengths <= {2, 3}


def _names(rows: list[tuple[int, list[str]]]) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Split off the names of columns and rows, if the matrix has them, and check that it is square."""
    if not rows:
        raise TopologyError("empty")
    line, first = rows[0]
    headed = not all(_is_number(cell) for cell in first)
    if not headed:
        names = [str(number) for number in range(len(rows))]
    elif len(first) == len(rows):  # a corner and a name for each further row
        names = first[1:]
        for (number, row), name in zip(rows[1:], names, strict=True):
            if row[0] != name:
                raise TopologyError(f"line {number}: the row is named {row[0]!r}, the column {name!r}")
        rows = [(number, row[1:]) for number, row in rows[1:]]
    else:
        names, rows = first, rows[1:]
    if "" in names or len(set(names)) < len(names):
        raise TopologyError(f"line {line}: the names {', '.join(names)} must be distinct and not empty")
    if len(names) != len(rows):
        raise TopologyError(f"line {line}: {len(names)} names above a matrix of {len(rows)} rows")
    for line, row in rows:
        if len(row) != len(rows):
            raise TopologyError(
                f"line {line}: {len(row)} entries in a matrix of {len(rows)} rows; it must be square"
                " (a .csv is an adjacency matrix; a list of edges is an .edgelist file)"
            )
    return names, rows


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _entry(cell: str, line: int) -> float:
    value = float(cell) if _is_number(cell) else math.nan
    if not 0 <= value < math.inf:
        raise TopologyError(f"line {line}: {cell!r} is not 0 (no link), 1 (a link) or a positive weight")
    return value


_READERS: dict[str, Callable[[Path], nx.Graph[Hashable]]] = {
    ".graphml": _graphml,
    ".edgelist": _edge_list,
    ".edges": _edge_list,
    ".txt": _edge_list,
    ".csv": _adjacency,
    ".gml": read_gml,
    ".json": read_json,
}
_ENDINGS = f"the endings are {listed(list(_READERS))}"
