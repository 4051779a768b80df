"""Whole suites of a second: bytes, resuming, mixing, anchors, methods that ignore or see everything."""

import json
import math
import re

import jsonschema
import pandas as pd
import pytest
from in_process import InProcess

from studies.execution import backends
from studies.spec.document import StudyError
from studies.suite import (
    definition,
    methods,
    plan,
    results,
    rows,
    running,
    score,
    submission,
    submission_check,
)
from studies.suite.plan import Choice
from studies.terminal import lines_console


def cells(table):
    return table.numbers.set_index(["task", "method", "condition"])


def files(folder):
    """All that is shown, without what each trial stores of its times and of this machine."""
    shown = [*folder.glob("*.*"), *folder.glob("submissions/*")]
    return {file.relative_to(folder): file.read_bytes() for file in shown}


def test_the_same_bytes_twice_and_nothing_is_run_again(run, tmp_path):
    first, table = run(shown=True)
    assert (first.run, first.kept, first.failed) == (2 * (5 + 3 + 5), 0, 0)
    once = files(tmp_path / "out")
    assert {str(name) for name in once} == {
        *("kept.png", "profiles.png", "scores.csv", "suite.html", "suite.json", "table.md", "table.tex"),
        *("values.csv", "submissions/averaging.json", "submissions/centre.json", "submissions/relaxed.json"),
    }
    check_what_is_shown(tmp_path / "out", table)
    again, _ = run(shown=True)
    assert (again.run, again.kept) == (0, first.run)
    assert files(tmp_path / "out") == once


def check_what_is_shown(folder, table):
    text = (folder / "table.md").read_text()
    assert text.count("\n| mean |") == 4 * 5
    assert "| logistic | averaging | perfect | 0 | - | - | - | - | - | averages alone |" in text
    assert r"\toprule" in (folder / "table.tex").read_text()
    page = (folder / "suite.html").read_text()
    assert "<script" not in page
    assert page.count("data:image/png") == 2
    assert "nothing lost" in page
    values = pd.read_csv(folder / "values.csv")
    assert len(values) == 2 * 13 + 2 * 2  # and the exact centres
    assert table.notes[0].startswith("tiny-1, size lite, hash ")


def test_more_loss_is_never_better(run):
    _, table = run(names=["relaxed", "averaging"])
    kept = cells(table)
    for method in ("relaxed", "averaging"):
        perfect, some, most, none = (
            kept.loc[("mean", method, name)] for name in ("perfect", "loss 30 %", "loss 60 %", "no network")
        )
        assert perfect["kept"] == 1
        assert none["kept"] == 0
        assert most["kept_low"] <= some["kept_high"]
        assert some["kept_low"] <= perfect["kept_high"]
        assert some["kept"] < 0.95


def test_a_method_that_ignores_the_network_scores_the_same_everywhere_and_a_centre_is_charged(run):
    _, table = run("learn", names=["alone", "centre", "relaxed"])
    found = cells(table).loc["learning"]
    own = found.loc["alone"]
    assert own["value"].nunique() == 1
    assert own["reached"].nunique(dropna=False) == 1
    assert own["kept"].isna().all()
    assert own["note"].str.contains("kept undefined: no gap").all()
    assert (own["bytes"] == 0).all()
    centre = found.loc["centre"]
    assert centre.loc["perfect", "bytes"] > 0
    assert (centre["seeds"] > 0).sum() == 1
    assert "perfect network only" in centre.loc["loss 60 %", "note"]


def test_an_exact_centre_has_all_digits_and_bytes(run):
    _, table = run(names=["centre", "relaxed"], tasks=["mean"])
    found = cells(table).loc[("mean", "centre", "perfect")]
    assert found["value"] == 12
    assert found["bytes"] > 0
    assert found["reached"] >= 1


def test_sizes_are_never_mixed(run):
    run("small")
    with pytest.raises(
        StudyError, match="holds size = 'small', not 'lite'; versions and sizes are never mixed"
    ):
        run("lite")


def test_a_part_of_a_size_keeps_the_rest(run, tmp_path):
    part, table = run(tasks=["mean"], conditions=["loss 30 %"], names=["relaxed"], shown=True)
    assert part.run == 2 * 3
    assert set(table.numbers["condition"]) == {"perfect", "loss 30 %", "no network"}
    assert not (tmp_path / "out" / "submissions").exists()
    page = (tmp_path / "out" / "suite.html").read_text()
    assert "A part of the size (mean; loss 30 %): two tasks. Hash" in page
    assert "testbed suite lite --task mean --condition &#x27;loss 30 %&#x27;</pre>" in page
    assert "most lost" not in page
    whole, _ = run(names=["relaxed"])
    assert (whole.run, whole.kept) == (2 * (5 + 3) - 6, 6)
    run(tasks=["mean"], conditions=["loss 30 %"], names=["relaxed"])  # a smaller part again: nothing is lost


def test_seeds_without_results_are_named_with_the_reason(run, suite, tmp_path):
    run(names=["relaxed"], tasks=["mean"], conditions=["loss 30 %"])
    size = suite.sizes["lite"]
    parts = plan.parts(suite, size, methods.chosen(suite, ["relaxed"], []))
    failed = next(t for t in parts[0].study.trials if t.title == "condition=loss 60 % seed=1")
    running.store_of(tmp_path / "out", parts[0]).write_failure(
        failed, {}, "Traceback\nValueError: too large\n"
    )
    table = results.read(suite, "lite", parts, Choice(tasks=("mean",)), tmp_path / "out")[1]
    notes = table.numbers.set_index("condition")["note"]
    assert notes["loss 60 %"] == "seed 0 not run; seed 1 failed: ValueError: too large"
    assert notes["loss 30 %"] == ""


def test_a_number_that_does_not_count_is_named_with_the_reason(run, monkeypatch):
    """The code of a user's method can move its deadline, or leave nan behind."""
    honest = rows.refused
    given = {"loss 30 %": {"seconds": 0.7}, "loss 60 %": {"value": math.nan}}
    monkeypatch.setattr(
        rows, "refused", lambda row, deadline: honest(row | given.get(row["condition"], {}), deadline)
    )
    _, table = run(names=["relaxed"], tasks=["mean"])
    found = cells(table).loc[("mean", "relaxed")]
    late, none = (found.loc[name] for name in ("loss 30 %", "loss 60 %"))
    assert late["note"].startswith("seed 0: simulated time = 0.7 s: the deadline is 0.6 s; seed 1: ")
    assert none["note"].startswith("seed 0: value = nan: must be a finite number; seed 1: ")
    assert set(found.index[found["seeds"] == 0]) == set(given)


def test_unknown_names_are_refused(run):
    for given, message in (
        ({"tasks": ["maen"]}, r"--task maen: must be one of mean, logistic; did you mean 'mean'"),
        ({"conditions": ["loss"]}, "--condition loss: must be one of perfect"),
        ({"names": ["averagin"]}, r"--method averagin: no such method; did you mean 'averaging'"),
    ):
        with pytest.raises(StudyError, match=message):
            run(**given)


@pytest.fixture(scope="module")
def stored(suite, tmp_path_factory):
    """The submissions of two methods in the smallest size; not to be changed."""
    place = tmp_path_factory.mktemp("small")
    size = suite.sizes["small"]
    parts = plan.parts(suite, size, methods.chosen(suite, ["averaging", "relaxed"], []))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backends, "executor", lambda *_: InProcess())
        running.run(parts, Choice(), place, jobs=1, on="local", console=lines_console(), warn=pytest.fail)
    values, reasons = rows.gather(suite, parts, Choice(), place)
    numbers = score.scores(values, reasons, "relaxed")
    for name in ("averaging", "relaxed"):
        submission.write(submission.make(suite, "small", name, parts, values, numbers), place / "submissions")
    return place


def without(data, method):
    """Leaves out a method's rows, and all that follows from them."""
    data["rows"] = [row for row in data["rows"] if row["method"] != method]
    for line in data["scores"]:
        line |= dict.fromkeys(("reached", "reached_low", "reached_high"))


def moved(data):
    """Says of a cell that it does not apply."""
    for name in ("rows", "scores"):
        data[name] = [
            row
            for row in data[name]
            if (row.get("method", "averaging"), row["condition"]) != ("averaging", "perfect")
        ]
    data["empty"].append({"task": "mean", "condition": "perfect", "reason": "too hard"})


def late(data):
    """Takes longer than the deadline."""
    for line in (*data["rows"], *data["scores"]):
        line["seconds"] = 9.0


class TestSubmissions:
    @pytest.fixture
    def entry(self, stored, suite, tmp_path):
        file = tmp_path / "averaging.json"

        def changed(change):
            data = json.loads((stored / "submissions" / "averaging.json").read_text())
            change(data)
            file.write_text(json.dumps(data))
            return submission_check.check(file, suite).wrong

        return changed

    def test_the_schema_in_the_package_describes_them(self, stored):
        schema = json.loads((definition.home() / submission.SCHEMA).read_text())
        assert schema == submission.schema(), "run `make reference`"
        given = json.loads((stored / "submissions" / "averaging.json").read_text())
        jsonschema.Draft202012Validator(schema).validate(given)
        del given["hash"]
        with pytest.raises(jsonschema.ValidationError, match="'hash' is a required property"):
            jsonschema.Draft202012Validator(schema).validate(given)

    def test_untouched_ones_are_valid(self, stored, suite):
        found = submission_check.files(stored)
        assert [file.name for file in found] == ["averaging.json", "relaxed.json"]
        assert [submission_check.check(file, suite) for file in found] == [
            submission_check.Checked((), 2, 0)
        ] * 2

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda d: d.update(hash="0" * 64), "hash = '0000"),
            (lambda d: d.update(size="lite"), r"logistic, loss 30 %: has the seeds \[\]"),
            (lambda d: d.update(size="huge"), "size = 'huge': must be one of lite, small, learn"),
            (lambda d: d.update(more=1), "more"),
            (lambda d: d["rows"].pop(), r"has the seeds|no scores|scores but no rows"),
            (lambda d: d["rows"][-1].update(value=3.0), "value = 3: follows from its metric as"),
            (lambda d: d["rows"][0].update(trial="0" * 16), "trial = '0000000000000000': the suite's is"),
            (lambda d: d["scores"][0].update(kept=0.9), r"kept = 0\.9: follows from the rows as"),
            (lambda d: d["scores"][0].update(bytes=1.0), r"bytes = 1\.0: follows from the rows as"),
            (lambda d: d["scores"].pop(), "has no scores"),
            (
                lambda d: d["empty"].append({"task": "mean", "condition": "perfect", "reason": ""}),
                "marked as empty",
            ),
            # What would make the score better, or hide a cell, without leaving the file incomplete.
            (lambda d: d["scores"].insert(0, dict(d["scores"][0], value=9.0)), "is 2 times in scores"),
            (lambda d: d["rows"].append(dict(d["rows"][0])), r"has the seeds \[0, 0\], must have \[0\]"),
            (lambda d: d["rows"].append(dict(d["rows"][0], method="other")), "or of another method"),
            (lambda d: without(d, "relaxed"), r"mean, relaxed, perfect: has the seeds \[\]"),
            (lambda d: moved(d), r"mean, perfect: empty = 'too hard': the suite's is None"),
            (lambda d: late(d), "simulated time = 9 s: the deadline is 0.6 s"),
            (lambda d: d.update(method="mine"), "code = '': must be the SHA-256"),
            (lambda d: d.update(method="mine@1", code="ab" * 32), "must end in @abababab"),
            (lambda d: d.update(code="ab" * 32), "must be empty for averaging"),
            (lambda d: d["rows"][0].update(bytes=-1.0), "bytes: must be greater than or equal to 0"),
            (lambda d: d["rows"][0].update(trial="x"), "trial: must match"),
            (lambda d: d["rows"][0].update(value=math.nan), "value: must be a finite number"),
            (lambda d: d["rows"][0].update(seed="0"), "seed: must be a whole number"),
            (lambda d: d["rows"][0].update(task="\x1b[31m\ud800\n"), r"\\x1b\[31m\\ud800\\n, "),
            (lambda d: d["scores"].append(dict(d["scores"][0], task="x")), "x, .*: is in scores and not in"),
        ],
    )
    def test_what_does_not_belong_together_is_found(self, entry, change, message):
        found = entry(change)
        assert re.search(message, "\n".join(found)), found
        assert all(line.isprintable() and len(line) <= submission_check.LONG for line in found)

    def test_the_lines_about_one_submission_are_few(self, entry):
        def change(data):
            data["rows"] += [dict(data["rows"][0], task=str(i)) for i in range(1000)]

        found = entry(change)
        assert len(found) == submission_check.LINES + 1
        assert found[-1] == "and more"

    def test_a_key_that_is_named_twice_is_refused(self, stored, suite, tmp_path):
        given = (stored / "submissions" / "averaging.json").read_text()
        (tmp_path / "a.json").write_text(given.replace('"size":', '"size": "lite", "size":'))
        wrong = submission_check.check(tmp_path / "a.json", suite).wrong
        assert wrong == ("cannot be read: names 'size' twice in one object",)

    def test_what_is_no_submission_is_one_line(self, suite, tmp_path):
        (tmp_path / "a.json").write_text("[")
        assert "cannot be read" in submission_check.check(tmp_path / "a.json", suite).wrong[0]
        with pytest.raises(StudyError, match="no such file or folder"):
            submission_check.files(tmp_path / "none")
        (tmp_path / "empty").mkdir()
        with pytest.raises(StudyError, match="has no submissions"):
            submission_check.files(tmp_path / "empty")
        (tmp_path / "empty" / running.RECORD).write_text("{}")  # the results of a part of a size
        with pytest.raises(StudyError, match="has no submissions"):
            submission_check.files(tmp_path / "empty")
