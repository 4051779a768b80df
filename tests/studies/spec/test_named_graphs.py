"""Studies on graphs whose files name their nodes: errors say the names."""

from pathlib import Path

import pytest

from studies.spec.document import StudyError
from studies.spec.loading import define

DATA = Path(__file__).parents[2] / "data"
BASE = {
    "workload": "problem",
    "problem": {"name": "mean", "agents": 4},
    "topology": {"file": str(DATA / "named.graphml")},
}


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            {"faults": [{"fault": "link_down", "link": "0-2", "down": "1s"}]},
            "'0-2' is not a link of this graph: did you mean '1-2' (Bern - Genève)?",
        ),
        (
            {"faults": [{"fault": "crash", "agent": 9, "down": "1s"}]},
            "9 is not an agent of this network: they are 0 (Zürich) to 3 (Lugano <south>)",
        ),
        (
            {"links": {"0-2": {"delay": "1ms"}}},
            "'0-2' is not a link of this graph: did you mean '1-2' (Bern",
        ),
        (
            {"schedule": {"name": "switching", "period": "1s", "rounds": [["1-3"]]}},
            "'2-3' (Genève - Lugano <south>)?",
        ),
    ],
)
def test_unknown_links_and_agents_are_named(network, message):
    with pytest.raises(StudyError) as caught:
        define({**BASE, "network": network}, name="s")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_wrong_attributes_of_a_link_name_it(tmp_path):
    text = (DATA / "named.graphml").read_text(encoding="utf-8").replace("0.006", "-1")
    (tmp_path / "wrong.graphml").write_text(text, encoding="utf-8")
    with pytest.raises(StudyError, match=r"attributes of link 1-2 \(Bern - Genève\): delay"):
        define({**BASE, "topology": {"file": str(tmp_path / "wrong.graphml")}}, name="s")


@pytest.mark.parametrize("name", ["named.graphml", "zoo.gml"])
def test_topologies_prints_the_names_and_a_study_runs_on_the_graph(call, name):
    code, out, _ = call("topologies", DATA / name)
    assert code == 0
    assert ("Zürich" in out) if name == "named.graphml" else ("Tromsø" in out and "None (2)" in out)
    assert len(define({**BASE, "topology": {"file": str(DATA / name)}}, name="s").trials) == 1
