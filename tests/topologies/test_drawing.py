"""Drawings: a PNG of every family, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from topologies import FAMILIES, TopologyError, drawing, make

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_has_places_that_are_apart(name: str) -> None:
    places = drawing.layout(make(name, 15 if name == "balanced_tree" else 16))
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1) + np.eye(len(places)) * 9
    assert np.isfinite(places).all()
    assert apart.min() > 0.01


@pytest.mark.parametrize("nodes", [8, 32, 64])
def test_no_two_corners_of_a_hypercube_meet(nodes: int) -> None:
    assert len(np.unique(drawing.layout(make("hypercube", nodes)).round(6), axis=0)) == nodes


def test_a_star_is_drawn_around_its_center() -> None:
    places = drawing.layout(make("star", 6, center=3))
    away = np.linalg.norm(places - places[3], axis=-1)
    np.testing.assert_allclose(np.delete(away, 3), away[0])


def test_stress_layout_lays_a_path_out_at_its_own_distances() -> None:
    places = drawing.layout(nx.path_graph(5))
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    np.testing.assert_allclose(apart, np.abs(np.subtract.outer(np.arange(5), np.arange(5))), atol=0.06)


@pytest.mark.parametrize("name", ["ring", "torus", "path", "erdos_renyi"])
def test_a_drawing_is_a_png_and_nothing_else_is_left_beside_it(name: str, tmp_path: Path) -> None:
    target = tmp_path / "graph.png"
    target.write_text("an older drawing")
    assert drawing.draw(make(name, 9), target, title=name) == target
    assert target.read_bytes().startswith(PNG)
    assert list(tmp_path.iterdir()) == [target]


def test_a_graph_in_pieces_can_be_drawn(tmp_path: Path) -> None:
    graph = make("erdos_renyi", 5, p=0.0, allow_disconnected=True)
    assert drawing.draw(graph, tmp_path / "pieces.png").read_bytes().startswith(PNG)


def test_a_drawing_that_cannot_be_made_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    ring = make("ring", 5)
    with pytest.raises(TopologyError, match=r"a drawing ends in \.png"):
        drawing.draw(ring, tmp_path / "graph.pdf")
    with pytest.raises(TopologyError, match="there is no folder"):
        drawing.draw(ring, tmp_path / "nowhere" / "graph.png")
    (tmp_path / "taken.png").mkdir()
    with pytest.raises(TopologyError, match=r"taken\.png: cannot be written"):
        drawing.draw(ring, tmp_path / "taken.png")
    assert [entry.name for entry in tmp_path.iterdir()] == ["taken.png"]
