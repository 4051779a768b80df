"""Text in scripts that the fonts of figures may lack."""

from pathlib import Path

import networkx as nx

from topologies import fonts
from topologies.drawing import draw

UNASSIGNED = "\U0010fffd"
"""A character of the private planes, which no font of a system has."""


def test_letters_that_no_font_has_are_named_once_in_one_line() -> None:
    assert fonts.complaint(["Zürich", "λ2"]) is None
    assert fonts.complaint([UNASSIGNED, f"a {UNASSIGNED}"]) == (
        f"no installed font has the letter {UNASSIGNED}: figures have empty boxes there"
    )


def test_names_in_any_script_are_drawn_without_python_warnings(tmp_path: Path) -> None:
    graph = nx.path_graph(2)
    nx.set_node_attributes(graph, {0: "東京", 1: "🙂ᚠ"}, "label")
    assert draw(graph, tmp_path / "graph.png", title=UNASSIGNED).read_bytes().startswith(b"\x89PNG")
