"""Three questions of researchers, asked in a study file and answered in at most ten lines of Python.

They are small here: fewer activations, samples and seeds than in the studies that one would publish.
"""

import numpy as np
import pytest
import reported
from matplotlib.patches import Rectangle

import studies
from studies import report

pytestmark = pytest.mark.usefixtures("closes_figures")

COST = """\
question: What does it cost twenty agents to reach an error, over six topologies with bursty loss and jitter?
workload: problem
problem: {name: least_squares, agents: 20, dimension: 3}
network:
  link: {delay: 10ms, jitter: 5ms, loss: {gemodel: {p: 0.02, r: 0.2}}}
consensus: {penalty: 4, curve_every: 10, budget: {activations: 300}}
vary:
  topology:
    - ring
    - star
    - complete
    - {name: random_regular, d: 3}
    - {name: grid, rows: 4, columns: 5}
    - {name: watts_strogatz, k: 4, p: 0.3}
seeds: 1
reach: {error: [1e-1, 1e-2, 1e-3]}
"""

FAULTS = """\
question: What do a partition and a crash cost each agent?
workload: training
environment: {name: navigation, agents: 3, episode_length: 10}
algorithm: {name: matrpo, hidden: [8]}
topology: ring
network:
  faults:
    - {name: cut, fault: partition, isolate: 0, down: {update: 3}, up: {update: 7}}
    - {name: agent 1 down, fault: crash, agent: 1, down: {update: 5}, up: {update: 6}}
consensus: {budget: {activations: 10}}
training: {updates: 7, samples: 20}
seeds: 1
"""

BATCH = """\
workload: update
environment: {name: navigation, agents: 3, episode_length: 10}
algorithm: {hidden: [8]}
topology: ring
update: {samples: 40}
"""

BUDGETS = """\
question: Which penalty for which budget?
workload: update
environment: {name: navigation, agents: 3, episode_length: 10}
algorithm: {hidden: [8]}
topology: ring
update: {batch: batch.npz}
vary:
  consensus.penalty: [0.5, 5]
  consensus.budget.activations: [4, 8, 16]
seeds: 2
figures:
  - {name: gain, kind: heatmap, x: consensus.budget.activations, y: consensus.penalty, hue: heldout_gain}
  - {name: apart, kind: heatmap, x: consensus.budget.activations, y: consensus.penalty, hue: disagreement}
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Runs a study file in this process; returns its results."""

    def ran(text, name):
        folder = tmp_path_factory.mktemp(name)
        if "batch.npz" in text:
            studies.save_batch(_written(folder / "played.yaml", BATCH), folder / "batch.npz")
        _, store = reported.run(_written(folder / "study.yaml", text), folder / "out")
        return studies.load(store.folder)

    return ran


def _written(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_what_does_an_error_cost_on_six_topologies(ran, call):
    results = ran(COST, "cost")
    table = results.reach()
    assert len(table) == 6 * 3
    by_threshold = table.groupby("threshold")["reached"].sum()
    assert 1 <= by_threshold[0.1] <= 6
    assert by_threshold[0.001] == 0  # what is not reached costs more than the whole trial
    curve = results.curve("consensus").set_index(["trial", "activations"])
    for row in table.to_dict("records"):
        at = curve.loc[row["trial"], row["activations"]]
        assert row["reached"] == (at["error"] <= row["threshold"])
        assert (row["bytes"], row["seconds"]) == (at["bytes"], at["seconds"])

    over = results.reach(over_seeds=True)
    cheapest = over["activations"].min()
    code, markdown, err = call("table", results.folder, "--markdown")
    assert (code, err) == (0, "")
    rows = [line.split(" | ") for line in markdown.splitlines() if line.startswith("| error ≤ ")]
    assert len(rows) == 6 * 3
    costs = [row[3] for row in rows]
    assert costs.count(r"\> 300") == over["activations"].isna().sum() == (~table["reached"]).sum()
    assert f"{cheapest:.0f}" in costs
    latex = call("table", results.folder, "--latex")[1]
    assert latex.count(r"error $\leq$ ") == 6 * 3
    assert call("table", results.folder, "--csv", "--reach", "error=0.1")[1].count("\n") == 1 + 6

    figure = results.plot("cost_to_reach_error")
    titles = {axes.get_ylabel() for axes in figure.axes}
    assert {"activations", "bytes sent", "simulated time (s)"} <= titles


def test_what_do_a_partition_and_a_crash_cost_each_agent(ran):
    results = ran(FAULTS, "faults")
    agents = results.curve("agents").sort_values("update")
    figure = results.plot("return_by_agent")
    panels = [axes for axes in figure.axes if axes.get_visible()]
    lines = [line.get_ydata() for axes in panels for line in axes.lines if len(line.get_xdata()) == 7]
    for _, own in agents.groupby("agent"):
        assert any(np.allclose(line, own["return"]) for line in lines)
    for axes in panels:
        bands = [(box.get_x(), box.get_x() + box.get_width()) for box in axes.patches if box.get_width()]
        assert bands == [(2, 6), (4, 5)]  # a fault of update 3 begins where update 2 ends
    words = " ".join(" ".join(text.get_text() for text in figure.texts).split())
    assert "A: cut B: agent 1 down" in words

    written = report.write(results.folder, results.folder.parent / "page.html", updates=[4])
    replay = reported.read(written.file).data["replay"]
    four = replay["recordings"][replay["opened"]]
    assert four["update"] == 4
    assert four["note"].startswith("Faults active in it: cut; ")

    links = results.curve("links").set_index(["source", "destination"])
    down = links[links["dropped_link_down"] > 0]
    assert set(down["update"]) == {3, 4, 5, 6}
    assert all(0 in link for link in down.index)
    crashed = links[links["dropped_agent_down"] > 0]
    assert set(crashed["update"]) == {5}
    assert all(1 in link for link in crashed.index)
    axes = results.plot("drops_by_link").axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "0>1",
        "0>2",
        "1>0",
        "1>2",
        "2>0",
        "2>1",
    ]


def test_which_penalty_for_which_budget(ran):
    results = ran(BUDGETS, "budgets")
    for name, metric, best in (("gain", "heldout_gain", "max"), ("apart", "disagreement", "min")):
        figure = results.plot(name)
        axes = figure.axes[0]
        assert [label.get_text() for label in axes.get_xticklabels()] == ["4", "8", "16"]
        assert [label.get_text() for label in axes.get_yticklabels()] == ["5", "0.5"]
        table = results.summary.assign(value=results.summary[metric])
        if metric == "disagreement":  # whose mean is geometric
            table["value"] = np.log(table["value"])
        cells = table.pivot_table(
            values="value", index="consensus.penalty", columns="consensus.budget.activations"
        ).sort_index(ascending=False)
        means = cells.to_numpy() if best == "max" else np.exp(cells.to_numpy())
        np.testing.assert_allclose(axes.images[0].get_array(), means)
        row, column = np.unravel_index(getattr(means, f"arg{best}")(), means.shape)
        solid = [
            patch
            for patch in axes.patches
            if isinstance(patch, Rectangle)
            and patch.get_edgecolor()[:3] == (0, 0, 0)
            and patch.get_linestyle() == "-"
        ]
        assert [tuple(np.round(patch.get_xy())) for patch in solid] == [(column, row)]
