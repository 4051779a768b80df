"""Results that are damaged, replaced, or in the way: what every command says, and what it leaves alone."""

import errno
import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

import studies
from studies.analysis import baselines, comparisons
from studies.execution import runner
from studies.figures import draw
from studies.report import final_values
from studies.report.conditions import arrange
from studies.spec.loading import load
from studies.storage import soundness
from studies.storage.store import Store
from testbed.common import atomic_files
from testbed.training.baselines import Baseline

pytestmark = pytest.mark.usefixtures("without_next_steps")


STUDY = """\
workload: problem
problem: {name: mean, agents: 4}
consensus: {budget: {activations: 4}}
seeds: 3
"""
TRAINING = """\
workload: training
environment: {name: navigation, agents: 3, episode_length: 5}
algorithm: {hidden: [4]}
training: {updates: 1, samples: 10}
consensus: {budget: {activations: 2}}
seeds: 2
"""


@pytest.fixture
def here(in_this_process, monkeypatch):
    monkeypatch.setattr(draw, "draw", lambda *_: [])  # which takes seconds


def perform(study, store):
    store.remember(study)
    for trial in study.trials:
        runner.perform(runner.Task(trial, store.folder, {"commit": "abc"}), lambda *_: None)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished study of three trials, which nobody may harm, and the name of the second."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "study.yaml").write_text(STUDY)
    study, store = load(str(folder / "study.yaml")), Store(folder / "out")
    perform(study, store)
    return store.folder, study.trials[1].hash


@pytest.fixture
def ran(finished, tmp_path):
    """A copy of it, and the folder of the second trial."""
    folder, second = finished
    shutil.copytree(folder, tmp_path / "out")
    return tmp_path / "out", tmp_path / "out" / "trials" / second


def empty(file):
    file.write_bytes(b"")


def remove(file):
    file.unlink()


def cut(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def replace_by_text(file):
    file.write_text("[1, 2]")


def into_a_folder(file):
    file.unlink()
    file.mkdir()


def change(file, **values):
    """Puts other values at the top of a JSON file; ``...`` takes one away."""
    data = {**json.loads(file.read_text()), **values}
    file.write_text(json.dumps({key: value for key, value in data.items() if value is not ...}))


def seal(place, leaving_out=()):
    """Makes the checksums of a trial's folder right."""
    sums = {name: one for name, one in soundness.sums(place).items() if name not in leaving_out}
    (place / "status.json").write_text(json.dumps({"status": "finished", "files": sums}))


HARMS = [empty, remove, cut, replace_by_text, into_a_folder]
FILES = ["status.json", "metrics.parquet", "versions.json", "spec.json", "timings.json"]
FILES += ["curves_consensus.parquet"]


def check_commands(call, folder, place, named):
    """Every command says which trial is damaged and goes on with the others."""
    code, out, err = call("status", folder)
    assert (code, err) == (3, "")
    assert out.startswith("study: 2 finished, 1 damaged of 3 trials\n")
    assert f"{place.name}: {named}" in out
    code, out, err = call("table", folder)
    assert code == 0
    assert err.startswith(f"damaged: seed=1: {place}: {named}")
    assert err.endswith("2 of 3 trials have finished\n")
    code, out, err = call("table", folder, "--csv")
    assert (code, len(out.splitlines())) == (0, 1 + 2)
    code, out, err = call("report", folder, "--no-replay")
    assert (code, f"warning: seed=1 is damaged: {place}: {named}" in err) == (0, True)
    code, out, err = call("compare", folder, folder)
    assert (code, out) == (0, "2 trials in both, by hash: 2 with equal results\n")
    assert err.startswith(f"damaged: seed=1: {place}: {named}")


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("file", FILES)
def test_each_kind_of_damage_is_found_and_named(ran, harm, file):
    folder, place = ran
    harm(place / file)
    store = Store(folder)
    assert [store.status(trial) for trial in store.study().trials] == ["finished", "damaged", "finished"]
    (line,) = store.damages(store.study())
    assert line.startswith(f"seed=1: {place}: {file}: ")
    assert len(store.summary(store.study())) == 2
    assert set(store.curve(store.study(), "consensus")["seed"]) == {0, 2}


@pytest.mark.parametrize(("harm", "file"), [(remove, "metrics.parquet"), (empty, "status.json")])
def test_every_command_names_the_damaged_trial_and_goes_on(call, ran, here, write, harm, file):
    folder, place = ran
    before = (place / "metrics.parquet").read_bytes()
    harm(place / file)
    check_commands(call, folder, place, file)
    code, out, err = call("run", write(STUDY), "--out", folder)
    assert (code, err) == (0, "")
    assert f"damaged: seed=1: {place}: {file}: " in out
    assert "1 trial run, 2 finished earlier" in out
    assert (place / "metrics.parquet").read_bytes() == before
    assert [path.name for path in (folder / "damaged").iterdir()] == [f"{place.name}-1"]
    assert call("status", folder) == (0, "study: 3 finished of 3 trials\n", "")


def test_results_from_before_checksums_are_looked_into(ran):
    folder, place = ran
    for trial in (folder / "trials").iterdir():
        (trial / "status.json").write_text('{"status": "finished"}')
    assert "status.json: has no checksums" in str(Store(folder).damage(Store(folder).study().trials[1]))
    change(folder / "study.json", names=1)
    store = Store(folder)
    assert not store.damages(store.study())
    for file in FILES[1:5]:
        content = (place / file).read_bytes()
        cut(place / file)
        (line,) = Store(folder).damages(store.study())
        assert line.startswith(f"seed=1: {place}: {file}: ")
        (place / file).write_bytes(content)
    (place / "models.pt").write_bytes(b"damaged")
    assert "models.pt: is damaged" in str(Store(folder).damage(store.study().trials[1]))


DEEP = "[" * 100_000
DOCTORED = {
    "no settings": ("spec.json", {"seed": ...}, "spec.json: seed: is missing"),
    "no identity": ("spec.json", {"identity": ...}, "spec.json: identity: is missing"),
    "identity of text": ("spec.json", {"identity": "x"}, "spec.json: identity: must be a mapping"),
    "another seed": (
        "spec.json",
        {"seed": 7},
        "spec.json: seed: is not what the trial's name was derived from",
    ),
    "another workload": ("spec.json", {"workload": "x"}, "spec.json: workload: is 'x', but the study's is"),
    "an environment of text": (
        "spec.json",
        {"environment": "x"},
        "spec.json: environment: must be a mapping",
    ),
    "no wall seconds": ("timings.json", {"wall_seconds": ...}, "timings.json: wall_seconds: is missing"),
    "wall seconds of text": (
        "timings.json",
        {"wall_seconds": "1"},
        "timings.json: wall_seconds: must be a num",
    ),
    "endless seconds": (
        "timings.json",
        {"wall_seconds": 1e999},
        "timings.json: wall_seconds: must be a finite",
    ),
    "timings of text": ("timings.json", {"training": "ab"}, "timings.json: training: must be a list"),
    "a list of versions": ("versions.json", {"python": [3]}, "versions.json: python: must be text"),
}


@pytest.mark.parametrize("kind", DOCTORED)
def test_a_file_with_a_right_sum_and_a_wrong_value_is_damaged(ran, kind):
    (folder, place), (file, values, said) = ran, DOCTORED[kind]
    change(place / file, **values)
    seal(place)
    check_damaged(folder, place, said)


def check_damaged(folder, place, said):
    """The second of three trials is damaged, and the others are read."""
    store = Store(folder)
    (line,) = store.damages(store.study())
    assert line.startswith(f"seed=1: {place}: {said}")
    assert "\n" not in line
    assert len(store.summary(store.study())) == 2
    assert set(store.curve(store.study(), "consensus")["seed"]) == {0, 2}


def test_settings_that_are_not_those_of_the_name_are_damaged(ran):
    folder, place = ran
    settings = json.loads((place / "spec.json").read_text())["consensus"]
    change(place / "spec.json", consensus={**settings, "penalty": 77.0})
    seal(place)
    check_damaged(folder, place, "spec.json: settings.consensus.penalty: is not what")
    # What this version refuses, or does not know, may have been right for that which wrote it.
    for other in ({"penalty": -1.0}, {"of_a_later_version": 1}):
        change(place / "spec.json", consensus={**settings, **other})
        seal(place)
        assert not Store(folder).damages(Store(folder).study())


STATUSES = {
    "no file": ({"status": "finished", "files": {}}, "status.json: has no checksum of spec.json"),
    "a list of files": ({"status": "finished", "files": ["a"]}, "status.json: files: must be a mapping"),
    "a file with no name": ({"status": "finished", "files": {"\0": "x"}}, "'\\x00': is missing"),
    "a file elsewhere": ({"status": "finished", "files": {"../x": "x"}}, "../x: is missing"),
    "no status": ({"files": {}}, "status.json: status: is missing"),
    "another status": ({"status": "done"}, "status.json: status: must be 'finished' or 'failed'"),
}


@pytest.mark.parametrize("kind", STATUSES)
def test_a_status_that_says_too_little_is_damaged(ran, kind):
    (folder, place), (content, said) = ran, STATUSES[kind]
    (place / "status.json").write_text(json.dumps(content))
    check_damaged(folder, place, said)


@pytest.mark.parametrize("file", [*soundness.NEEDED, "curves_consensus.parquet"])
def test_a_file_that_has_no_sum_is_damaged(ran, file):
    folder, place = ran
    seal(place, leaving_out=[file])
    check_damaged(folder, place, "status.json: " if file in soundness.NEEDED else f"{file}: is not among")
    if file in soundness.NEEDED:
        remove(place / file)
        check_damaged(folder, place, f"{file}: is missing")


@pytest.mark.parametrize("file", ["status.json", "spec.json", "versions.json", "timings.json"])
@pytest.mark.parametrize("content", [DEEP, "[" * 200 + "]" * 200, '{"a":' * 200 + "1" + "}" * 200])
def test_files_nested_too_deep_are_damaged(ran, file, content):
    folder, place = ran
    (place / file).write_text(content)
    if file != "status.json":
        seal(place)
    check_damaged(folder, place, f"{file}: is nested more than 100 deep")


TABLES = {
    "two rows": ("metrics", lambda table: pd.concat([table, table]), "has 2 rows, must have one"),
    "no row": ("metrics", lambda table: table[:0], "has no rows, must have one"),
    "text in numbers": ("metrics", lambda table: table.assign(error="x"), "the column 'error' holds"),
    "text in a curve": (
        "curves_consensus",
        lambda table: table.assign(error="x"),
        "the column 'error' holds",
    ),
    "a trial": ("metrics", lambda table: table.assign(trial=1.0), "has a column 'trial'"),
    "a seed in a curve": ("curves_consensus", lambda table: table.assign(seed=1.0), "has a column 'seed'"),
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_with_a_right_sum_and_wrong_columns_is_damaged(ran, kind):
    (folder, place), (name, other, said) = ran, TABLES[kind]
    file = place / f"{name}.parquet"
    other(pd.read_parquet(file)).to_parquet(file, index=False)
    seal(place)
    check_damaged(folder, place, f"{name}.parquet: {said}")


RECORDS = {
    "varied": "ab",
    "worlds": ["x"],
    "compared": "x",
    "workload": "training",
    "trials": [{"hash": "a" * 16, "seed": 0}],
    "document": [],
    "name": 3,
    "question": None,
    "names": "2",
}


@pytest.mark.parametrize("field", RECORDS)
def test_a_study_file_that_is_doctored_is_refused_by_field(ran, field):
    folder, _ = ran
    change(folder / "study.json", **{field: RECORDS[field]})
    with pytest.raises(ValueError, match=rf"study\.json: cannot be read: {field}[.:]") as said:
        Store(folder).study()
    assert "\n" not in str(said.value)
    assert "object" not in str(said.value)


@pytest.mark.parametrize("kind", ["twice", "varied a list", "no value", "deep"])
def test_a_study_file_with_doctored_trials_is_refused(call, ran, kind):
    folder, _ = ran
    file = folder / "study.json"
    trials = json.loads(file.read_text())["trials"]
    trials[1] = {"twice": trials[0], "varied a list": {**trials[1], "varied": []}}.get(kind, trials[1])
    change(file, trials=trials, varied=["a"] if kind == "no value" else [])
    if kind == "deep":
        file.write_text("[" * 200_000)
    code, out, err = call("status", folder)
    assert (code, out, err.count("\n")) == (2, "", 1)
    where = {"twice": "trials.1: ", "no value": "trials.0.varied: ", "deep": "is nested "}
    assert err.startswith(f"{file}: cannot be read: {where.get(kind, 'trials.1.varied: ')}")


@pytest.mark.parametrize("harm", ["another's", "a file", "a link to nothing"])
def test_a_folder_that_is_not_the_trial_s_is_noticed_and_set_aside(ran, write, call, here, harm):
    folder, place = ran
    other = next(path for path in place.parent.iterdir() if path != place)
    shutil.rmtree(place)
    if harm == "another's":
        shutil.copytree(other, place)
        named = f"spec.json: belongs to trial {other.name}: the folder has been replaced"
    else:
        named = "is a file, must be a folder"
        place.write_text("") if harm == "a file" else place.symlink_to("nowhere")
    check_commands(call, folder, place, named)
    assert call("run", write(STUDY), "--out", folder)[0] == 0
    assert call("status", folder)[0] == 0
    assert os.path.lexists(folder / "damaged" / f"{place.name}-1")


def test_damaged_models_are_noticed(write, tmp_path):
    study, store = load(str(write(TRAINING))), Store(tmp_path / "out")
    perform(study, store)
    models = store.trials / study.trials[0].hash / "models.pt"
    models.write_bytes(models.read_bytes()[:-1] + b"x")
    assert "models.pt: is not what was written" in str(Store(store.folder).damage(study.trials[0]))


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', '{"a": {"environment": {}}}', '{"a": {}}'])
def test_damaged_references_are_said_and_measured_anew(write, tmp_path, monkeypatch, content):
    study, store = load(str(write(TRAINING))), Store(tmp_path / "out")
    perform(study, store)
    measured = [Baseline("random", 1, {"return": -1.0})]
    monkeypatch.setattr(baselines.baselines, "measure", lambda _: measured)
    file = store.folder / baselines.FILE
    file.write_text(content)
    assert str(baselines.damage(store)).startswith(f"{file}: ")
    assert baselines.kept(study, store) == {}
    assert baselines.by_trial(study, store) == {trial.hash: measured for trial in study.trials}
    assert baselines.damage(store) is None
    assert baselines.kept(study, store) == {trial.hash: measured for trial in study.trials}


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"format": 1, "names": 2, "trials": 3}', '{"hash": "../../x"}']
)
def test_a_damaged_study_file_is_one_line_and_written_anew(call, ran, write, here, content):
    folder, place = ran
    file = folder / "study.json"
    if "hash" in content:
        content = file.read_text().replace(place.name, "../../elsewhere")
    file.write_text(content)
    for command in ("status", "table", "report"):
        code, out, err = call(command, folder)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert err.startswith(f"{file}: cannot be read: ")
    code, out, err = call("run", write(STUDY), "--out", folder)
    assert (code, "0 trials run, 3 finished earlier" in out) == (0, True)
    assert err.startswith(f"{file}: cannot be read: ")


def test_a_note_that_is_damaged_is_no_note(ran, call):
    folder, place = ran
    shutil.rmtree(place)
    (folder / "checkpoints").mkdir(exist_ok=True)
    for content in ("", "[]", "{}", '{"phase": "x"}'):
        (folder / "checkpoints" / f"{place.name}.json").write_text(content)
        assert call("status", folder) == (3, "study: 2 finished, 1 missing of 3 trials\n", "")


def test_a_full_disk_leaves_what_was_there(call, ran, write, here, monkeypatch):
    folder, _ = ran
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    text = STUDY.replace("seeds: 3", "seeds: 4")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "file")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        code, _, err = call("run", write(text), "--out", folder)
        assert (code, err.count("\n"), "No space left on device" in err) == (2, 1, True)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert call("run", write(text), "--out", folder)[0] == 0
    with monkeypatch.context() as patch:
        patch.setattr("studies.storage.trial_folders.settle_all", full)
        code, _, err = call("run", write(STUDY.replace("seeds: 3", "seeds: 5")), "--out", folder)
        assert (code, err) == (
            1,
            "failed: seed=4: OSError: [Errno 28] No space left on device: 'file' (it could not be stored)\n",
        )
    assert len(Store(folder).summary(Store(folder).study())) == 4
    assert not [path.name for path in (folder / "trials").iterdir() if path.name.startswith(".")]


@pytest.fixture
def happened(monkeypatch):
    """What is synced and renamed, in order."""
    happened, sync, rename = [], os.fsync, Path.rename

    def synced(handle):
        happened.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        sync(handle)

    def renamed(self, place):
        happened.append(f"rename {place}")
        return rename(self, place)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    return happened


def test_results_are_on_the_disk_before_the_checkpoint_goes(write, tmp_path, monkeypatch, happened):
    """In this order: the files, their folder, the name of the folder, and only then the checkpoint."""
    study, store = load(str(write(TRAINING))), Store(tmp_path / "out")
    monkeypatch.setattr(store.claims, "clear", lambda _: happened.append("clear"))
    trial = study.trials[0]
    store.write(trial, {"error": 1.0}, {"training": [{"return": 1.0}]}, {}, 1.0, {"theta": 1})
    place, part = store.trials / trial.hash, store.trials / f".{trial.hash}.{os.getpid()}"
    renamed = happened.index(f"rename {place}")
    assert {Path(path).name for path in happened[:renamed]} >= {path.name for path in place.iterdir()}
    assert happened[renamed - 1 :] == [str(part), f"rename {place}", str(store.trials), "clear"]


def test_every_file_is_synced_with_its_folder(tmp_path, happened):
    atomic_files.write_json(tmp_path / "a.json", {"a": 1})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": 1}
    assert happened == [str(tmp_path / f".a.json.{os.getpid()}"), str(tmp_path)]


@pytest.mark.parametrize("change", ["seeds=2", "consensus.penalty=2", "vary={topology: [star]}"])
def test_a_study_in_whose_tables_finished_trials_would_be_lost_is_refused(call, ran, write, here, change):
    folder, _ = ran
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    code, out, err = call("run", write(STUDY), "--out", folder, "--set", change)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "not in this study, such as seed=" in err
    assert "choose another folder (--out)" in err
    with pytest.raises(ValueError, match="choose another folder"):
        studies.run(load(str(write(STUDY)), overrides=[change]), folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_train_does_not_take_the_place_of_another_study_either(call, write, here):
    assert call("train", write(TRAINING), "--set", "seeds=1", "--out", "out")[0] == 0
    code, out, err = call("train", write(TRAINING), "--set", "seeds=[7]", "--out", "out")
    assert (code, out, "has 1 finished trial that is not in this study" in err) == (2, "", True)


def test_a_study_goes_on_where_nothing_is_lost(call, ran, write, here):
    folder, _ = ran
    for text in (
        STUDY,
        STUDY.replace("seeds: 3", "seeds: 4"),
        STUDY.replace("seeds: 3", "seeds: 4\nquestion: Q?"),
    ):
        code, _, err = call("run", write(text), "--out", folder)
        assert (code, err) == (0, "")
    store = Store(folder)
    store.remember(load(str(write(STUDY)), overrides=["seeds=6"]))  # nothing of which has been run is lost
    store.remember(load(str(write(STUDY)), overrides=["seeds=5"]))


def test_the_short_form_has_a_folder_of_its_own(call, write, here):
    text = STUDY + "quick: {seeds: 1}\n"
    assert call("run", write(text), "--quick")[0] == 0
    assert call("run", write(text))[0] == 0
    assert sorted(path.name for path in Path("runs").iterdir()) == ["study", "study-quick"]
    code, _, err = call("run", write(text), "--quick", "--out", "runs/study")
    assert (code, "has 2 finished trials that are not in this study" in err) == (2, True)


def test_trials_of_an_older_format_are_kept_and_run_again(call, ran, write, here):
    folder, _ = ran
    data = json.loads((folder / "study.json").read_text())
    old = dict(zip((one["hash"] for one in data["trials"]), ("a" * 16, "b" * 16, "c" * 16), strict=True))
    for new, name in old.items():
        (folder / "trials" / new).rename(folder / "trials" / name)
        spec = json.loads((folder / "trials" / name / "spec.json").read_text())
        del spec["identity"]
        (folder / "trials" / name / "spec.json").write_text(json.dumps(spec))
        (folder / "trials" / name / "status.json").write_text('{"status": "finished"}')
    del data["names"]
    data["trials"] = [{**one, "hash": old[one["hash"]]} for one in data["trials"]]
    (folder / "study.json").write_text(json.dumps(data))
    assert call("status", folder)[0] == 0
    assert call("table", folder)[0] == 0
    code, out, err = call("report", folder)
    assert (code, "There is no replay: trial aaaaaaaaaaaaaaaa: cannot be run again" in out, err) == (
        0,
        True,
        "",
    )
    code, out, err = call("run", write(STUDY), "--out", folder)
    assert (code, "3 trials run" in out, err.count("\n")) == (0, True, 1)
    assert err.startswith(f"{folder}: has 3 trials of an older format, which will be run again")
    assert {*old.values(), *old} == {path.name for path in (folder / "trials").iterdir()}
    assert (folder / "study.format-1.json").is_file()


FILED = {
    "graph": ("topology: {file: x.txt}\n", "0 1\n1 2\n2 3\n", "0 1\n0 2\n0 3\n"),
    "trace": ("network: {link: {trace: x.txt}}\n", "time,delay\n0,0.1\n", "time,delay\n0,0.2\n"),
    "round trips": ("network: {link: {distribution: empirical, round_trips: x.txt}}\n", "0.1\n", "0.2\n"),
}


@pytest.mark.parametrize("kind", FILED)
def test_a_file_that_changes_after_the_check_fails_the_trial(call, write, here, monkeypatch, kind):
    text, before, after = FILED[kind]
    write(before, "x.txt")
    study = write(STUDY.replace("seeds: 3", "seeds: 1") + text)
    remember = Store.remember

    def then_change(self, loaded):
        write(after, "x.txt")
        return remember(self, loaded)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "remember", then_change)
        assert call("run", study, "--out", "out")[0] == 1
    said = call("status", "out")[1]
    assert f"StudyError: {study.parent / 'x.txt'}: has changed since the study was checked" in said
    assert call("run", study, "--out", "out2")[0] == 0


@pytest.mark.parametrize("kind", FILED)
def test_a_file_that_changes_while_the_trial_runs_changes_nothing(write, tmp_path, monkeypatch, kind):
    text, before, after = FILED[kind]
    write(before, "x.txt")
    study = load(str(write(STUDY.replace("seeds: 3", "seeds: 1") + text)))
    usual, other = Store(tmp_path / "usual"), Store(tmp_path / "other")
    perform(study, usual)
    real = runner.workloads.run

    def late(*arguments, **named):
        write(after, "x.txt")
        return real(*arguments, **named)

    monkeypatch.setattr(runner.workloads, "run", late)
    perform(study, other)
    assert other.metrics(study.trials[0]) == usual.metrics(study.trials[0])


def test_a_file_named_twice_is_read_once_for_all_trials(write, monkeypatch):
    from studies.spec import named_files

    read, real = [], named_files.content_of
    monkeypatch.setattr(named_files, "content_of", lambda path: (read.append(path.name), real(path))[1])
    write("0 1\n1 2\n2 3\n", "x.txt")
    load(str(write(STUDY + "topology: {file: x.txt}\nvary: {network.link.loss: [0, 0.1]}\n")))
    assert read == ["x.txt"]


def test_files_that_somebody_named_are_not_replaced(call, write, ran):
    folder, _ = ran
    for name in ("a.png", "a.gif", "trace.jsonl", "report.html"):
        Path(name).write_text("mine")
    train = write(TRAINING, "training.yaml")
    (folder / "report.html").write_text("mine")
    for arguments in (
        ["topologies", "--draw", "a.png", "--name", "ring"],
        ["play", train, "--policy", "random", "--out", "a.gif"],
        ["trace", write(STUDY), "--out", "."],
        ["report", folder, "--no-replay"],
        ["report", folder, "--no-replay", "--out", "report.html"],
    ):
        code, out, err = call(*arguments)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "already exists" in err
        assert "add --force" in err
    assert {Path(name).read_text() for name in ("a.png", "a.gif", "trace.jsonl", "report.html")} == {"mine"}
    assert call("report", folder, "--no-replay", "--force")[0] == 0
    assert call("report", folder, "--no-replay")[0] == 0  # a report takes the place of a report
    assert call("topologies", "--draw", "a.png", "--name", "ring", "--nodes", "4", "--force")[0] == 0


@pytest.mark.parametrize("wrong", [float("inf"), float("nan")])
def test_a_seed_that_is_not_finite_is_said_wherever_it_is_left_out(call, ran, wrong):
    folder, place = ran
    file = place / "metrics.parquet"
    pd.read_parquet(file).assign(error=wrong).to_parquet(file, index=False)
    seal(place)
    code, out, _ = call("table", folder, "--metrics", "error")
    assert (code, out.count("(1 of 3 seeds not finite)") + out.count("; 1 of 3 seeds not finite")) == (0, 1)
    study, store = Store(folder).study(), Store(folder)
    summary, conditions = store.summary(study), arrange(study)
    (row,) = final_values.statistics(study, summary, conditions).query("metric == 'error'").to_dict("records")
    assert (row["seeds"], row["note"].endswith("1 of 3 seeds not finite")) == (2, True)
    drawn = final_values.finals(study, summary, conditions)[0]
    assert drawn["estimate"].endswith("; 1 trial that is not finite left out")
    training = summary.rename(columns={"error": "return"})
    (row,) = comparisons.statistics_table(training, [], None).to_dict("records")
    assert (row["seeds"], row["note"].endswith("1 of 3 seeds not finite")) == (2, True)


def test_small_words(call, ran):
    folder, _ = ran
    code, _, err = call("table", folder, "--metrics", ",")
    assert (code, err) == (2, "--metrics ,: has an empty name\n")
    change(folder / "study.json", trials=[])
    assert call("status", folder) == (0, "study: no trials\n", "")
