"""Pictures of graphs, laid out as their family is usually drawn."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path

import networkx as nx
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from topologies import fonts
from topologies.errors import TopologyError
from topologies.names import node_names

_LINK_COLOUR = "0.6"
_NODE_COLOUR = "#2a6f97"


def draw(graph: nx.Graph[int], path: str | Path, *, title: str | None = None) -> Path:
    """Draw `graph` into the PNG file `path` and return that path; an existing file is replaced once all is
    drawn.

    Raises TopologyError if `path` does not end in .png, its folder does not exist or cannot be written to.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise TopologyError(f"{path}: a drawing ends in .png")
    if not path.parent.is_dir():
        raise TopologyError(f"{path}: there is no folder {path.parent}")
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with fonts.fitting([title or "", *node_names(graph)]):
        figure = _figure(graph, title)
        try:
            with beside.open("wb") as file:
                figure.savefig(file, format="png")
                file.flush()
                os.fsync(file.fileno())  # otherwise a power cut may leave an empty file under the new name
            beside.replace(path)
        except OSError as error:
            raise TopologyError(f"{path}: cannot be written ({error.strerror})") from error
        finally:
            beside.unlink(missing_ok=True)
    return path


def _figure(graph: nx.Graph[int], title: str | None) -> Figure:
    places = layout(graph)
    lines = routes(graph, places)
    # A bare Figure leaves pyplot's windows and global state alone.
    figure = Figure(figsize=(4, 4), layout="constrained", dpi=150)
    axes = figure.add_subplot()
    row = {node: index for index, node in enumerate(sorted(graph))}
    axes.add_collection(LineCollection(lines, colors=_LINK_COLOUR, linewidths=1, zorder=1))
    size = float(np.clip(6000 / len(graph), 12, 320))
    axes.scatter(places[:, 0], places[:, 1], s=size, color=_NODE_COLOUR, zorder=2)
    if len(graph) <= 64:
        inside = 0.4 * math.sqrt(size)
        for name, node, index in zip(node_names(graph), row, row.values(), strict=True):
            x, y = (float(place) for place in places[index])
            axes.text(x, y, str(node), color="white", size=inside, ha="center", va="center")
            if name != str(node):  # below the disc; the file's text is never a formula
                shift = (0.0, -0.5 * math.sqrt(size) - 1)
                axes.annotate(
                    name,
                    (x, y),
                    shift,
                    textcoords="offset points",
                    size=max(0.75 * inside, 5),
                    ha="center",
                    va="top",
                    parse_math=False,
                    bbox={
                        "boxstyle": "square,pad=0.05",
                        "facecolor": "white",
                        "edgecolor": "none",
                        "alpha": 0.75,
                    },
                    zorder=3,
                )
    axes.set_title(title or "", parse_math=False)
    axes.set_aspect("equal")
    axes.axis("off")
    # A square frame: a single row would otherwise get no height and its nodes be cut.
    drawn = np.concatenate([places, *lines])
    middle, reach = (drawn.max(axis=0) + drawn.min(axis=0)) / 2, 0.58 * float(np.ptp(drawn, axis=0).max())
    axes.set_xlim(middle[0] - reach, middle[0] + reach)
    axes.set_ylim(middle[1] - reach, middle[1] + reach)
    return figure


def layout(graph: nx.Graph[int]) -> NDArray[np.float64]:
    """Return places [nodes, 2] for the nodes in ascending order, by `graph.graph["family"]` if given."""
    return _LAYOUTS.get(graph.graph.get("family", ""), _by_stress)(graph)


def routes(graph: nx.Graph[int], places: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return the line [points, 2] of each link of ``graph.edges``, from its first end to its second.

    Lines are straight except for links that go around a torus, which are bowed. ``places``: from `layout`.
    """
    row = {node: index for index, node in enumerate(sorted(graph))}
    bowed = _wraps(graph)
    return [_line(places[row[u]], places[row[v]], bow=bowed(u, v)) for u, v in graph.edges]


def _on_circle(graph: nx.Graph[int]) -> NDArray[np.float64]:
    angles = math.pi / 2 - 2 * math.pi * np.arange(len(graph)) / len(graph)
    return np.column_stack([np.cos(angles), np.sin(angles)])


def _around_hub(graph: nx.Graph[int]) -> NDArray[np.float64]:
    angles = 2 * math.pi * np.arange(len(graph) - 1) / (len(graph) - 1)
    around = np.column_stack([np.cos(angles), np.sin(angles)])
    return np.insert(around, graph.graph["parameters"]["center"], 0.0, axis=0)


def _on_arc(graph: nx.Graph[int]) -> NDArray[np.float64]:
    angles = np.linspace(math.pi, 0, len(graph))
    return np.column_stack([np.cos(angles), np.sin(angles)])


def _on_lattice(graph: nx.Graph[int]) -> NDArray[np.float64]:
    width = graph.graph["parameters"]["columns"]
    nodes = np.arange(len(graph))
    return np.column_stack([nodes % width, -(nodes // width)]).astype(float)


def _by_digits(graph: nx.Graph[int]) -> NDArray[np.float64]:
    dimension = max(len(graph) - 1, 1).bit_length()
    # Each binary digit moves a node in its own direction; unequal lengths keep the corners apart.
    angles = math.pi * np.arange(dimension) / dimension
    ways = 0.8 ** np.arange(dimension)[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
    digits = np.arange(len(graph))[:, None] >> np.arange(dimension) & 1
    return np.asarray(digits @ ways, dtype=np.float64)


def _in_levels(graph: nx.Graph[int]) -> NDArray[np.float64]:
    level = nx.single_source_shortest_path_length(graph, 0)
    depths = np.array([level[node] for node in sorted(graph)])
    places = np.empty((len(graph), 2))
    leaves = int((depths == depths.max()).sum())
    for depth in range(depths.max() + 1):
        here = np.flatnonzero(depths == depth)
        places[here, 0] = (np.arange(len(here)) + 0.5) * leaves / len(here)
        places[here, 1] = -depth * max(leaves / (depths.max() + 1), 1)
    return places


def _at_pos(graph: nx.Graph[int]) -> NDArray[np.float64]:
    return np.array([graph.nodes[node]["pos"] for node in sorted(graph)], dtype=np.float64)


def _by_stress(graph: nx.Graph[int], rounds: int = 200) -> NDArray[np.float64]:
    """Place nodes so that distances approximate the number of links between them.

    Stress majorisation from a circle (Gansner, Koren & North 2005, "Graph drawing by stress majorization");
    NetworkX's Kamada-Kawai layout, which has the same aim, needs SciPy.
    """
    hops = _hops(graph)
    n = len(hops)
    weights = 1 / (hops + np.eye(n)) ** 2 - np.eye(n)
    inverse = np.linalg.pinv(np.diag(weights.sum(axis=1)) - weights)
    places: NDArray[np.float64] = _on_circle(graph) * hops.max() / 2
    for _ in range(rounds):
        apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
        pull = weights * hops / np.maximum(apart, 1e-9)
        places = np.asarray(inverse @ (np.diag(pull.sum(axis=1)) - pull) @ places)
    return places


def _hops(graph: nx.Graph[int]) -> NDArray[np.float64]:
    order = sorted(graph)
    hops = np.full((len(order), len(order)), np.inf)
    for i, node in enumerate(order):
        lengths = nx.single_source_shortest_path_length(graph, node)
        hops[i] = [lengths.get(other, np.inf) for other in order]
    # Separate parts are drawn a little further apart than the longest path.
    hops[np.isinf(hops)] = hops[np.isfinite(hops)].max() + 1
    return hops


def _wraps(graph: nx.Graph[int]) -> Callable[[int, int], bool]:
    """Return a test for torus links that go around, which would otherwise lie on a row or column."""
    if graph.graph.get("family") != "torus":
        return lambda u, v: False
    width = graph.graph["parameters"]["columns"]
    return lambda u, v: abs(u % width - v % width) > 1 or abs(u // width - v // width) > 1


def _line(start: NDArray[np.float64], end: NDArray[np.float64], *, bow: bool) -> NDArray[np.float64]:
    if not bow:
        return np.stack([start, end])
    across = np.array([[0.0, -1.0], [1.0, 0.0]]) @ (end - start)
    control = (start + end) / 2 + 0.3 * across
    t = np.linspace(0, 1, 25)[:, None]
    return (1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * end


_LAYOUTS: dict[str, Callable[[nx.Graph[int]], NDArray[np.float64]]] = {
    "ring": _on_circle,
    "path": _on_arc,
    "star": _around_hub,
    "complete": _on_circle,
    "grid": _on_lattice,
    "torus": _on_lattice,
    "hypercube": _by_digits,
    "balanced_tree": _in_levels,
    "random_regular": _on_circle,
    "watts_strogatz": _on_circle,
    "random_geometric": _at_pos,
    "exponential": _on_circle,
}
