"""One number, four places: the line of a finished trial, the table, the figures and the page."""

import re
from io import StringIO

import matplotlib.pyplot as plt
import numpy as np
import pytest
import reported
from rich.console import Console

from studies import api, report
from studies.analysis import conditions
from studies.analysis.bootstrap import estimator
from studies.columns import geometric, shown, unit
from studies.docgen.pages import pages
from studies.execution.progress import Display
from studies.figures import draw
from studies.figures.catalogue import PLANS, Final
from studies.figures.from_store import draw_figures, figure_data
from studies.formatting import quantity
from studies.report import numbers
from studies.storage.store import CURVES, SERIES, TABLES
from studies.storage.stored_files import FILES

STUDIES = {"problem": reported.LOSSY, "update": reported.UPDATE, "training": reported.TRAINING}


@pytest.fixture(scope="module", params=STUDIES)
def finished(request, tmp_path_factory):
    """A small study of each workload that has been run."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "study.yaml").write_text(STUDIES[request.param])
    return reported.run(folder / "study.yaml", folder / "out")


def test_the_finished_line_has_the_stored_numbers(finished):
    study, store = finished
    trial, text = study.trials[0], StringIO()
    metrics = store.metrics(trial)
    with Display(Console(file=text, width=400), [trial], kept=0) as display:
        display.started(trial)
        display.progressed(trial, "training", 1, 2, dict.fromkeys(shown("progress"), 123.0))
        display.finished(trial, metrics)
    line = text.getvalue().splitlines()[-1]
    wanted = [name for name in shown("progress") if name in metrics]
    assert wanted
    for name in wanted:
        assert f"  {name.replace('_', ' ')} {quantity(metrics[name], unit(name))}  " in line
    assert "123" not in line.partition(trial.hash)[0].replace(trial.title, "")


def test_the_table_the_figures_and_the_page_have_the_same_estimates(finished, monkeypatch):
    study, store = finished
    summary = store.summary(study)
    page = reported.read(report.write(store.folder, replayed=False).file)
    finals = {final["name"]: final for final in page.data["finals"]}
    plans = [plan for plan in PLANS[study.workload] if isinstance(plan, Final) and plan.y in finals]
    assert plans
    monkeypatch.setitem(draw.PLANS, study.workload, plans)
    drawn = dict(draw.drawings(figure_data(study, store, summary, {})))
    rows = conditions.estimates(study, summary, [plan.y for plan in plans])
    for place, plan in enumerate(plans):
        table = [found[place][0] for _, _, found in rows if found[place]]
        how = estimator(study.workload, plan.y)
        assert how.geometric == geometric(plan.y) == plan.log
        having = [values for values, _, found in rows if found[place]]
        for values, estimate in zip(having, table, strict=True):
            same = np.logical_and.reduce([summary[n] == v for n, v in zip(study.varied, values, strict=True)])
            runs = summary[plan.y][same].dropna()
            assert estimate.value == pytest.approx(np.exp(np.log(runs).mean()) if plan.log else runs.mean())
        assert [row[1] for row in finals[plan.y]["rows"]] == pytest.approx([one.value for one in table])
        if plan.name in drawn:
            points = [y for line in drawn[plan.name].axes[0].lines for y in line.get_ydata()]
            for estimate in table:
                assert any(y == pytest.approx(estimate.value) for y in points), plan.name
    plt.close("all")


def test_every_place_names_the_estimator(finished, tmp_path):
    study, store = finished
    summary = store.summary(study)
    page = reported.read(report.write(store.folder, replayed=False).file)
    seeds = summary["seed"].nunique()
    for final in page.data["finals"]:
        if seeds > 1 and final["runs"]:
            name = estimator(study.workload, final["name"]).name(seeds)
            assert final["estimate"].startswith(f"{name} of {seeds} seeds")
    lines = conditions.notes(study, summary, None)
    for name in conditions.chosen(study, summary, None):
        words = next(line for line in lines if re.search(rf"\b{name}\b", line))
        assert seeds == 1 or f"{estimator(study.workload, name).name(seeds)} of {seeds} seeds" in words


def test_trials_on_the_page_have_the_stored_numbers(finished):
    study, store = finished
    page = reported.read(report.write(store.folder, replayed=False).file)
    rows = page.records("trials")
    for row, trial in zip(rows, study.trials, strict=True):
        sent = store.metrics(trial)["bytes_sent"]
        assert row["bytes sent"][0] == (numbers.figure(sent, "bytes"), sent)


def test_every_file_and_curve_that_the_reference_names_is_there_and_the_other_way_round(
    finished, monkeypatch
):
    study, store = finished
    monkeypatch.setattr(draw, "draw", lambda *_: [])
    draw_figures(study, store, lambda line: pytest.fail(line))
    trial = study.trials[0]
    there = {f"trials/<hash>/{file.name}" for file in (store.trials / trial.hash).iterdir()}
    there |= {file.name for file in store.folder.iterdir() if file.is_file() and file.suffix != ".html"}
    there.discard("references.json")
    when = {"always", study.workload, *(["faults"] if "faults:" in STUDIES[study.workload] else [])}
    assert there == {name for name, found in FILES.items() if set(found) & when}
    results = api.load(store.folder)
    written = {name.split("curves_")[1].removesuffix(".parquet") for name in there if "curves_" in name}
    assert {*results.curves, *results.tables} == written <= {*CURVES, *SERIES, *TABLES}
    for name in results.curves:
        assert len(results.curve(name))
        with pytest.raises(ValueError, match=f"there are {', '.join(results.tables)}"):
            results.table(name)
    for name in results.tables:
        assert len(results.table(name))
        with pytest.raises(ValueError, match=f"there are {', '.join(results.curves)}$"):
            results.curve(name)
    named = set(re.findall(r"\b[a-z]+(?:_[a-z]+)*\.(?:parquet|csv|json)\b", pages()["columns.md"]))
    assert named <= {name.rpartition("/")[2] for name in FILES}
