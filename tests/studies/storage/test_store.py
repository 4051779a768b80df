"""Results on disk."""

import json

import pandas as pd
import pytest

from studies.spec.document import StudyError
from studies.spec.loading import load
from studies.storage import trial_folders
from studies.storage.store import Store

VERSIONS = {"python": "3"}


@pytest.fixture
def study(write):
    return load(str(write()))


def fill(store, study, skip=0):
    for trial in study.trials[skip:]:
        curve = [{"activations": k, "disagreement": 1 / (k + 1), "wall_solve": 0.5} for k in range(3)]
        store.write(
            trial, {"error": trial.seed, "kind": 2.0, "wall_all": 9.0}, {"consensus": curve}, VERSIONS, 1.5
        )


def test_a_finished_trial_has_its_specification_versions_and_tables(study, tmp_path):
    store = Store(tmp_path / "out")
    fill(store, study)
    trial = study.trials[0]
    folder = store.trials / trial.hash
    assert sorted(path.name for path in folder.iterdir()) == [
        "curves_consensus.parquet",
        "metrics.parquet",
        "spec.json",
        "status.json",
        "timings.json",
        "versions.json",
    ]
    spec = json.loads((folder / "spec.json").read_text())
    assert spec["topology"]["name"] == "ring"
    assert spec["network"]["link"]["loss"] == 0.0
    assert store.status(trial) == "finished"
    assert store.versions(trial) == VERSIONS


def test_nothing_is_written_before_the_first_trial(study, tmp_path):
    assert Store(tmp_path / "out").status(study.trials[0]) == "missing"
    assert not (tmp_path / "out").exists()


def test_the_summary_has_a_row_per_trial_with_what_was_varied(study, tmp_path):
    store = Store(tmp_path / "out")
    fill(store, study, skip=1)
    table = store.summarise(study)
    assert list(table) == ["trial", "topology", "network.link.loss", "seed", "error", "kind"]
    assert len(table) == 7
    pd.testing.assert_frame_equal(pd.read_parquet(store.folder / "summary.parquet"), table)
    assert list(pd.read_csv(store.folder / "summary.csv")["topology"]) == list(table["topology"])
    curves = store.curve(study, "consensus")
    assert len(curves) == 21
    assert curves["network.link.loss"].dtype == float
    assert store.curve(study, "training").empty


def test_cases_cannot_have_the_name_of_a_column_of_the_results(write, tmp_path):
    text = (
        "workload: problem\nproblem: {name: mean, agents: 4}\nconsensus: {budget: {activations: 9}}\nvary:\n"
    )
    store = Store(tmp_path / "out")
    study = load(str(write(text + "  kind: {A: {consensus.penalty: 2}}\n")))
    fill(store, study)
    with pytest.raises(StudyError, match=r"vary\.kind: 'kind' is a column of the results"):
        store.summarise(study)
    renamed = load(str(write(text + "  sort: {A: {consensus.penalty: 2}}\n")))
    assert list(store.summarise(renamed)["sort"]) == ["A"]


def test_wall_times_are_kept_apart_so_that_tables_can_be_compared(study, tmp_path):
    store = Store(tmp_path / "out")
    fill(store, study)
    timings = json.loads((store.trials / study.trials[0].hash / "timings.json").read_text())
    assert timings["wall_seconds"] == 1.5
    assert timings["metrics"] == {"wall_all": 9.0}
    assert timings["consensus"] == [{"wall_solve": 0.5}] * 3


def test_a_failure_keeps_its_traceback_and_is_replaced_by_a_success(study, tmp_path):
    store = Store(tmp_path / "out")
    store.write_failure(study.trials[0], VERSIONS, "Traceback\nValueError: no\n")
    assert store.status(study.trials[0]) == "failed"
    assert store.traceback(study.trials[0]).read_text().endswith("no\n")
    fill(store, study)
    assert store.status(study.trials[0]) == "finished"
    assert not store.traceback(study.trials[0]).exists()


def test_a_trial_whose_writing_is_cut_off_is_not_there(study, tmp_path, monkeypatch):
    store = Store(tmp_path / "out")

    def killed(_, path):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(trial_folders.pq, "write_table", killed)
        with pytest.raises(KeyboardInterrupt):
            fill(store, study)
    assert store.status(study.trials[0]) == "missing"
    assert [path.name for path in store.trials.iterdir() if not path.name.startswith(".")] == []
    fill(store, study)
    assert sorted(path.name for path in store.trials.iterdir()) == sorted(
        trial.hash for trial in study.trials
    )


def test_a_checkpoint_is_removed_when_its_trial_has_finished(study, tmp_path):
    store = Store(tmp_path / "out")
    store.claims.folder.mkdir(parents=True)
    store.claims.checkpoint(study.trials[0]).write_text("state")
    store.write_failure(study.trials[0], VERSIONS, "no")
    assert store.claims.checkpoint(study.trials[0]).exists()
    fill(store, study)
    assert not store.claims.checkpoint(study.trials[0]).exists()


def test_varied_values_of_mixed_kinds_become_text(write, tmp_path):
    text = "workload: problem\nproblem: {name: mean, agents: 4}\n"
    text += "vary: {network.link.rate: [null, 1000, 1mbit]}\n"
    study, store = load(str(write(text))), Store(tmp_path / "out")
    fill(store, study)
    assert list(store.summarise(study)["network.link.rate"]) == ["none", "1000", "1mbit"]
    assert list(store.curve(study, "consensus")["network.link.rate"].unique()) == ["none", "1000", "1mbit"]


def test_the_results_are_read_without_the_file_of_the_study(study, tmp_path):
    store = Store(tmp_path / "out")
    store.remember(study)
    fill(store, study, skip=1)
    stored = Store(tmp_path / "out").study()
    assert [trial.hash for trial in stored.trials] == [trial.hash for trial in study.trials]
    assert [trial.title for trial in stored.trials] == [trial.title for trial in study.trials]
    assert stored.document == study.document
    pd.testing.assert_frame_equal(store.summarise(stored), store.summarise(study))
    assert [path.name for path in store.folder.glob(".*")] == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "holds no results of `testbed run`"),
        ("{", "study.json: cannot be read"),
        ('{"format": 2}', "has format 2, must be 1"),
        ("[]", "study.json: cannot be read"),
        ('{"format": 1, "name": "x"}', "study.json: cannot be read: question: is missing"),
    ],
)
def test_a_folder_that_holds_no_study_is_refused_in_one_line(tmp_path, text, message):
    if text is not None:
        (tmp_path / "study.json").write_text(text)
    with pytest.raises(StudyError) as refused:
        Store(tmp_path).study()
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
