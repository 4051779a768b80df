"""Names of the scalars of agents and links in dashboards."""

from pathlib import Path

import pytest

import studies
from studies.execution.series_scalars import series_scalars, tag_names
from studies.execution.tensorboard import Board

NAMED = Path(__file__).parents[2] / "data/named.graphml"
TRAINING = {
    "workload": "training",
    "environment": {"name": "navigation", "agents": 4},
    "algorithm": {"name": "matrpo"},
}
AGENTS = [{"update": 1.0, "steps": 9.0, "seconds": 0.0, "agent": 3.0, "return": -1.0}]
LINKS = [{"update": 1.0, "source": 0.0, "destination": 2.0, "dropped": 4.0}]
TAGS = ["agents/return/3_Lugano_south", "links/dropped/0-2_Zürich-Genève"]


def test_names_of_a_graph_file_follow_the_numbers():
    (trial,) = studies.define({**TRAINING, "topology": {"file": str(NAMED)}}).trials
    names = tag_names(trial)
    assert names == {0: "Zürich", 1: "Bern", 2: "Genève", 3: "Lugano_south"}
    assert [name for name, _ in series_scalars(AGENTS, LINKS, names)] == TAGS


def test_other_graphs_have_numbers():
    (trial,) = studies.define(TRAINING).trials
    tags = [name for name, _ in series_scalars(AGENTS, LINKS, tag_names(trial))]
    assert tags == ["agents/return/3", "links/dropped/0-2"]


def test_tensorboard_shows_the_names_unchanged(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (trial,) = studies.define({**TRAINING, "topology": {"file": str(NAMED)}}).trials
    board = Board(tmp_path, trial, lambda *_: None)
    board.series(1, AGENTS, LINKS)
    board.close()
    read = EventAccumulator(str(board.folder))
    read.Reload()
    assert sorted(read.Tags()["scalars"]) == TAGS
