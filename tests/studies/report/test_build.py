"""The report of a study: its numbers, its text, and that it asks nobody for anything."""

import base64
import hashlib
import json
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import reported
import yaml

from studies import report
from studies.analysis import comparisons
from studies.analysis.bootstrap import estimator
from studies.analysis.resampling import POINTS, together
from studies.figures.bands import aligned, over_seeds
from studies.formatting import minus
from studies.report.numbers import interval_name, rounded
from studies.spec.document import parse
from studies.spec.loading import load
from studies.spec.resolving import resolve
from studies.storage import soundness
from studies.storage.store import Store

LEARNT = """\
workload: training
vary:
  method:
    one: {algorithm: {name: matrpo}}
    other: {algorithm: {name: itrpo}}
  network.link.loss: [0, 0.1]
seeds: 5
"""


@pytest.fixture(scope="module")
def lossy(tmp_path_factory):
    """A finished study with losses and outages; its file and its store."""
    folder = tmp_path_factory.mktemp("lossy")
    (folder / "lossy.yaml").write_text(reported.LOSSY)
    return reported.run(folder / "lossy.yaml", folder / "out")


def learnt(path, folder):
    """A made-up training study, whose seeds are measured at other seconds each."""
    study, store = load(str(path)), Store(folder)
    store.remember(study)
    for number, trial in enumerate(study.trials):
        generator = np.random.default_rng(number)
        seconds = generator.exponential(size=30).cumsum()
        returns = generator.normal(size=30).cumsum()
        rows = [
            {"update": k + 1.0, "steps": 100.0 * k, "seconds": seconds[k], "return": returns[k]}
            for k in range(30)
        ]
        store.write(trial, rows[-1], {"training": rows}, {"commit": "c"}, 60.0)
    return study, store


def test_the_numbers_are_those_of_the_statistics(write, tmp_path):
    study, store = learnt(write(LEARNT), tmp_path / "out")
    table = comparisons.statistics_table(store.summarise(study), study.varied, study.comparison_factor)
    store.write_table("statistics.csv", table)
    wanted = pd.read_csv(store.folder / "statistics.csv")
    page = reported.read(report.write(store.folder).file)
    found = page.records("statistics")
    assert len(found) == len(wanted) == 4 + 1  # and one over all losses
    one = "95 % interval"
    for row, record in zip(found, wanted.to_dict("records"), strict=True):
        numbers = {
            "mean": row["mean"][0][1],
            "iqm": row["interquartile mean"][0][1],
            "iqm_low": row[one][0][1],
            "probability_of_improvement": row["probability of improvement"][0][1],
            "probability_of_improvement_low": row[one][1][1],
            "paired_difference": row["paired difference"][0][1],
            "paired_difference_low": row[one][2][1],
        }
        for name, number in numbers.items():
            assert (math.nan if number is None else number) == pytest.approx(record[name], nan_ok=True), name
    finals = {final["name"]: final for final in page.data["finals"]}
    rows = {page.data["conditions"][row[0]]["label"]: row[1:5] for row in finals["return"]["rows"]}
    for record in wanted[wanted["network.link.loss"] != comparisons.ALL].to_dict("records"):
        label = f"{record['method']}, message loss (probability) {float(record['network.link.loss']):g}"
        assert rows[label] == [record["iqm"], record["iqm_low"], record["iqm_high"], record["seeds"]]
    differences = {row[0]: row[1:4] for row in finals["paired_difference"]["rows"]}
    compared = wanted.dropna(subset="paired_difference")
    names = ["paired_difference", "paired_difference_low", "paired_difference_high"]
    assert sorted(differences.values()) == sorted(compared[names].to_numpy().tolist())


@pytest.mark.parametrize(
    ("counts", "name"),
    [
        ([2, 3], "range"),
        ([1, 2], "range"),
        ([1], "95 % interval"),
        ([4, 9], "95 % interval"),
        ([2, 4], "95 % interval (range of 2 or 3 seeds)"),
    ],
)
def test_an_interval_is_called_what_it_is(counts, name):
    assert interval_name(counts) == name


@pytest.mark.parametrize(
    ("left_out", "header", "said"),
    [
        ((), "range", "2 seeds of a condition are too few to conclude from"),
        ((3,), "range", "The conditions have 1 to 2 seeds, too few to conclude from"),
        ((1, 3, 5, 7), "95 % interval", "A single seed of a condition is too few to conclude from"),
    ],
)
def test_seeds_are_told_of_each_condition(write, tmp_path, left_out, header, said):
    study, store = load(str(write(reported.LOSSY))), Store(tmp_path / "out")
    store.remember(study)
    for number, trial in enumerate(study.trials):
        if number not in left_out:
            store.write(trial, {"error": 1.0 + number}, {}, {"commit": "c"}, 1.0)
    page = reported.read(report.write(store.folder, replayed=False).file)
    assert header in page.records("statistics")[0]
    text = store.folder.joinpath("report.html").read_text()
    assert f"<p>{said}; at least 5 are needed. In these runs, " in text
    assert "replay-section" not in re.sub("<script.*|<style.*?</style>", "", text, flags=re.DOTALL)


@pytest.mark.parametrize(
    ("budget", "vary", "axis"),
    [
        ({"activations": 60}, {}, "activations"),
        ({"seconds": 2}, {}, "seconds"),
        ({"bytes": 9000}, {}, "bytes"),
        ({"seconds": 2}, {"consensus.budget.seconds": [1, 2]}, "seconds"),
        ({"activations": 60, "seconds": 2}, {}, "activations"),
        ({"seconds": 2}, {"consensus.budget.activations": [None, 60]}, "activations"),
    ],
)
def test_curves_open_on_the_unit_of_the_budget(write, tmp_path, budget, vary, axis):
    document = {**yaml.safe_load(reported.LOSSY), "vary": vary, "seeds": 1}
    document["consensus"]["budget"] = budget
    study, store = load(str(write(yaml.safe_dump(document)))), Store(tmp_path / "out")
    store.remember(study)
    for trial in study.trials:
        rows = [
            {**dict.fromkeys(("activations", "exchanges", "seconds", "bytes"), k), "error": 1 / (1 + k)}
            for k in range(5)
        ]
        store.write(trial, {"error": 1.0}, {"consensus": rows}, {"commit": "c"}, 1.0)
    page = reported.read(report.write(store.folder, replayed=False).file)
    (measure,) = (each for each in page.data["curves"]["measures"] if each["name"] == "consensus.error")
    assert measure["axes"][0]["name"] == axis
    assert {each["name"] for each in measure["axes"]} == {"activations", "exchanges", "seconds", "bytes"}


@pytest.mark.parametrize("axis", ["steps", "seconds"])
def test_bands_are_those_of_the_figures(write, tmp_path, axis):
    study, store = learnt(write(LEARNT), tmp_path / "out")
    page = reported.read(report.write(store.folder).file)
    (measure,) = (m for m in page.data["curves"]["measures"] if m["name"] == "training.return")
    curve = store.curve(study, "training")
    drawn = aligned(curve, axis, "return", list(study.varied), log=False)
    over = over_seeds(drawn, estimator("training", "return"))
    found = [line for line in measure["lines"] if line[1] == axis]
    assert len(found) == 4
    for number, _, x, y, low, high in found:
        varied = study.trials[page.data["conditions"][number]["trials"][0]].varied
        same = (drawn[list(study.varied)] == list(varied.values())).all(axis=1)
        places = drawn[same].groupby(axis)["return"]
        assert page.data["curves"]["xs"][x] == pytest.approx(sorted(places.groups), rel=1e-4)
        assert y == pytest.approx(places.apply(over["estimator"]).tolist(), rel=1e-4)
        wanted = places.apply(over["errorbar"])
        assert low == pytest.approx([pair[0] for pair in wanted], rel=1e-4)
        assert high == pytest.approx([pair[1] for pair in wanted], rel=1e-4)


def test_curves_are_thinned_to_rows_of_their_own_and_interpolated_only_where_seeds_differ():
    x = [np.arange(1000.0), np.arange(1000.0)]
    y = [np.sin(x[0]), np.cos(x[0])]
    places, matrix = together(x, y, log=False)
    assert len(places) == POINTS
    assert (places[0], places[-1]) == (0, 999)
    np.testing.assert_array_equal(matrix, np.stack([np.sin(places), np.cos(places)], axis=1))
    places, matrix = together([x[0], x[0] + 500], [np.exp(x[0] / 99)] * 2, log=True)
    assert (places[0], places[-1], len(places)) == (500, 999, POINTS)
    np.testing.assert_allclose(matrix[:, 0], np.exp(places / 99), rtol=1e-12)  # exact between logarithms
    np.testing.assert_allclose(matrix[:, 1], np.exp((places - 500) / 99), rtol=1e-12)
    for apart in (2000, 999):  # nothing in common, or only a point
        assert len(together([x[0], x[0] + apart], y, log=False)[0]) == 0


def test_numbers_are_rounded_to_the_nearest_decimal():
    generator = np.random.default_rng(0)
    some = generator.normal(size=2000) * 10.0 ** generator.integers(-300, 300, size=2000)
    assert rounded(some) == [float(f"{value:.5g}") if value % 1 else value for value in some]
    assert rounded([1, math.nan, math.inf, 0.5, 123456, 0]) == [1, None, None, 0.5, 123456, 0]
    assert json.dumps(rounded([3.0, -2.0])) == "[3, -2]"


def test_references_are_those_that_are_kept_and_common_to_all_trials(write, tmp_path):
    study, store = learnt(write(LEARNT), tmp_path / "out")
    random = {"policy": "random", "episodes": 9, "means": {"return": -2.5, "return_x": math.nan}}
    entry = {"environment": store.settings(study.trials[0])["environment"], "references": [random]}
    file = store.folder / "references.json"
    file.write_text(json.dumps({"a": entry}))
    page = reported.read(report.write(store.folder).file)
    means = {"return": -2.5, "return_x": None}
    assert page.data["references"] == [{"panel": 0, "policy": "random", "means": means}]
    file.write_text(json.dumps({"a": entry | {"environment": {"name": "another"}}}))
    assert reported.read(report.write(store.folder).file).data["references"] == []


HOSTILE = "</script><img src=x onerror=alert(1)><!-- & \" ' </style>"


def test_text_of_the_study_cannot_become_part_of_the_page(write, tmp_path):
    text = (
        f"question: {json.dumps(HOSTILE)}\nworkload: problem\nproblem: {{name: mean, agents: 3}}\n"
        f"network: {{faults: [{{name: {json.dumps(HOSTILE)}, link: 0-1, down: 0s, up: 1s}}]}}\n"
        "consensus: {budget: {activations: 20}}\n"
        f"vary: {{way: {{{json.dumps(HOSTILE)}: {{consensus.penalty: 1}}, two: {{consensus.penalty: 2}}}}}}\n"
    )
    _, store = reported.run(write(text), tmp_path / "out")
    plain = reported.read(report.write(store.folder).file)
    assert not [tag for tag, _ in plain.elements if tag == "img"]
    assert [tag for tag, _ in plain.elements].count("script") == 2
    assert plain.texts["h1"] == [HOSTILE]
    assert plain.data["hue"]["levels"] == [HOSTILE, "two"]
    assert any(HOSTILE in words for _, words in plain.data["replay"]["recordings"][0]["words"])
    assert plain.records("trials")[0]["way"][0][0] == HOSTILE
    (document,) = (text for text in plain.texts["pre"] if "workload" in text)
    assert parse(document, "x", tmp_path).data["question"] == HOSTILE


def test_nothing_outside_the_file_is_named_and_only_its_own_script_may_run(lossy):
    _, store = lossy
    file = report.write(store.folder).file
    text = file.read_text(encoding="utf-8")
    page = reported.read(file)
    for tag, attributes in page.elements:
        for name in ("src", "href", "action", "srcset", "poster", "data"):
            if name in attributes:
                assert attributes[name].startswith(("#", "data:,")), (tag, attributes)
    assert not re.search(r"@import|url\(|\bimport\s*\(|fetch\(|XMLHttpRequest|WebSocket|sendBeacon", text)
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) == {"http://www.w3.org/2000/svg"}
    (policy,) = (a["content"] for t, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    for kind, element in (("style-src", page.texts["style"][0]), ("script-src", page.texts["script"][1])):
        digest = base64.b64encode(hashlib.sha256(element.encode()).digest()).decode()
        assert rules[kind] == f"'sha256-{digest}'"


def test_the_same_results_give_the_same_page_and_nothing_else_is_written(lossy, tmp_path):
    _, store = lossy
    before = {path: path.stat().st_mtime_ns for path in store.folder.rglob("*") if path.name != "report.html"}
    first = report.write(store.folder, tmp_path / "one.html").file.read_bytes()
    assert report.write(store.folder, tmp_path / "two.html").file.read_bytes() == first
    assert {
        path: path.stat().st_mtime_ns for path in store.folder.rglob("*") if path.name != "report.html"
    } == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.html", "two.html"]


def test_the_study_on_the_page_makes_the_same_trials(lossy, tmp_path):
    study, store = lossy
    page = reported.read(report.write(store.folder, tmp_path / "page.html").file)
    (document,) = (text for text in page.texts["pre"] if "workload" in text)
    again = resolve(parse(document, "page", Path(tmp_path)), "page")
    assert [trial.hash for trial in again.trials] == [trial.hash for trial in study.trials]


def test_an_unfinished_study_says_how_far_it_is(write, tmp_path):
    study, store = reported.run(write(reported.LOSSY), tmp_path / "out", trials=2)
    store.write_failure(study.trials[2], {}, "Traceback\nValueError: <b>no</b>\n")
    page = reported.read(report.write(store.folder, replayed=False).file)
    said = [text for text in page.texts["p"] if "Not finished" in text]
    assert said == [
        "Not finished: 2 finished, 1 failed, 5 missing of 8 trials. All numbers are those of finished trials."
    ]
    states = [row["status"][0][0] for row in page.records("trials")]
    assert states == ["finished", "finished", "failed ValueError: <b>no</b>", *["missing"] * 5]
    assert len(page.data["conditions"]) == 4
    assert len(page.data["finals"][0]["rows"]) == 1


def test_a_study_of_which_nothing_has_finished_has_a_report(write, tmp_path):
    _, store = reported.run(write(reported.LOSSY), tmp_path / "out", trials=0)
    page = reported.read(report.write(store.folder).file)
    assert page.data["curves"]["measures"] == page.data["finals"] == []
    assert page.data["replay"] is None
    assert "There is no replay: no finished trial sent a message." in page.texts["p"]


@pytest.mark.parametrize(
    ("text", "final", "measure"),
    [
        (reported.LOSSY, "error", "consensus.error"),
        (reported.UPDATE, "relative_disagreement", "consensus.relative_disagreement"),
        (reported.TRAINING, "return", "training.return"),
    ],
    ids=["problem", "update", "training"],
)
def test_every_workload_has_its_numbers_and_its_replay(write, tmp_path, text, final, measure):
    study, store = reported.run(write(text), tmp_path / "out")
    written = report.write(store.folder)
    assert not [line for line in written.warnings if "differently" in line]
    page = reported.read(written.file)
    assert page.data["finals"][0]["name"] == final
    assert page.data["curves"]["measures"][0]["name"] == measure
    assert len(page.records("trials")) == len(study.trials)
    replay = page.data["replay"]["recordings"][page.data["replay"]["opened"]]
    assert replay["complete"]
    assert max(replay["word"]) < len(replay["words"])
    assert {sort for sort, _ in replay["words"]} >= {"sent", "delivered", "lost"}


def test_trials_of_different_code_and_idle_faults_are_warned_of(write, tmp_path):
    text = "workload: problem\nproblem: {name: mean, agents: 3}\nconsensus: {budget: {activations: 5}}\n"
    text += "network: {faults: [{name: far, link: 0-1, down: 1h}]}\nseeds: 2\n"
    study, store = reported.run(write(text), tmp_path / "out")
    file = store.trials / study.trials[1].hash / "versions.json"
    file.write_text(json.dumps({"commit": f"{'d' * 40}-dirty"}))
    sums = soundness.sums(file.parent)
    (file.parent / "status.json").write_text(json.dumps({"status": "finished", "files": sums}))
    assert report.write(store.folder).warnings == (
        "in 2 of 2 trials a fault touched no message and so tested nothing: seed=0, seed=1",
        "the trials were made by 2 versions of the code: 1 by commit cccccccccc,"
        " 1 by commit dddddddddd-dirty",
        "1 finished trial was made by a commit with changes that are not in it",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone"], "gone: no such folder"),
        (["."], ".: holds no results of `testbed run`"),
        (["out", "--trial", "9"], "--trial 9: the study has 8 trials"),
        (
            ["out", "--trial", "3"],
            "--trial 3: topology=ring penalty=2 seed=0 is missing; only finished trials",
        ),
        (["out", "--trial", "1", "--no-replay"], "--trial and --no-replay cannot be combined"),
        (["out", "--out", "out"], "--out out: is a folder, not a file"),
        (["out", "--out", "gone/page.html"], "--out gone/page.html: there is no folder gone"),
    ],
)
def test_what_cannot_be_reported_is_one_line_and_nothing_is_written(call, write, arguments, message):
    reported.run(write(reported.LOSSY), Path("out"), trials=1)
    code, out, err = call("report", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(message)
    assert err.count("\n") == 1
    assert not list(Path.cwd().rglob("*.html"))


def test_the_page_begins_with_the_finding_and_the_replay(call, write):
    reported.run(write(reported.LOSSY), Path("out"))
    code, out, _ = call("report", "out")
    assert code == 0
    (found,) = (line.removeprefix("found:   ") for line in out.splitlines() if line.startswith("found:"))
    html = Path("out/report.html").read_text()
    first = reported.read(Path("out/report.html")).texts["p"]
    place = next(number for number, text in enumerate(first) if text.startswith("Relative distance to the"))
    assert minus(found) == first[place][0].lower() + first[place][1:].removesuffix(".")
    parts = [html.index(f'id="{name}"') for name in ("answer", "replay-section", "numbers", "made")]
    assert parts == sorted(parts)
    assert first.index(first[place]) < next(
        number for number, text in enumerate(first) if "run again" in text
    )


def test_the_command_says_what_it_replays_and_where_the_page_is(call, write):
    reported.run(write(reported.LOSSY), Path("out"), trials=2)
    code, out, _ = call("report", "out", "--trial", "2")
    assert code == 0
    replayed = "Trial 2 (ring, penalty β 1, seed 1), run again: its consensus run."
    end = "report:  out/report.html\nnext:    open out/report.html in a browser\n"
    assert out.startswith(f"replay:  {replayed}\n{end}")  # one condition has finished: nothing is found
    page = reported.read(Path("out/report.html"))
    assert replayed in page.texts["p"]
    assert page.data["replay"]["trial"] == 1


def _luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one, other):
    """WCAG 2.2's contrast ratio."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_colours_stand_out_as_wcag_aa_asks(lossy, tmp_path, scheme):
    file = report.write(lossy[1].folder, tmp_path / "page.html", replayed=False).file
    pairs = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", reported.style(file))
    colour = {name: shades[scheme] for name, *shades in pairs}
    for ground in ("paper", "sheet", "mark"):
        for text in ("ink", "soft", "link"):
            assert _contrast(colour[text], colour[ground]) >= 4.5, (text, ground)
    lines_of_charts = [name for name in colour if re.match(r"(hue|step)-\d", name)]
    assert len(lines_of_charts) == 18
    for name in [*lines_of_charts, "alarm", "good", "warm", "busy"]:
        for ground in ("paper", "sheet"):
            assert _contrast(colour[name], colour[ground]) >= 3, (name, ground)
    for level in range(7):
        name = colour["paper" if level > 3 else "ink"]
        assert _contrast(name, colour[f"level-{level}"]) >= 4.5, level
