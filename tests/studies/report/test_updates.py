"""A partition from update 3 to 6 and a crash in update 5: shaded in curves, and replayed where they were."""

import json
import shutil
from collections import Counter
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest
import reported
from matplotlib.patches import Rectangle

import studies
from studies import api, report
from studies.analysis import fault_windows
from studies.cli import next_steps
from studies.playback import trace, updates
from studies.report import update_choice
from studies.report.recording import record_updates
from studies.report.replayed import EVENTS_OF_ALL, REASONS
from studies.spec.document import StudyError
from studies.storage import soundness
from testbed import workloads
from testbed.network import Trace
from testbed.workloads.running import checkpoint_identity

PARTITION = "partition of [0] and [1, 2] from update 3 to update 6"
CRASH = "crash of agent 1 (state kept) from update 5 to update 6"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The study, finished: the study, its store and its file."""
    folder = tmp_path_factory.mktemp("updates")
    (folder / "study.yaml").write_text(reported.FAULTS)
    return *reported.run(folder / "study.yaml", folder / "out"), folder / "study.yaml"


@pytest.fixture(scope="module")
def whole(study):
    """The trace of the whole first trial."""
    trial, whole = study[0].trials[0], Trace()
    workloads.run(trial.settings, seed=trial.seed, graph=trial.graph(), trace=whole)
    return [json.loads(line) for line in whole.lines()]


@pytest.fixture(scope="module")
def page(study):
    """The report as it is by default, and with update 4."""
    _, store, _ = study
    return report.write(store.folder), report.write(
        store.folder, store.folder.parent / "four.html", updates=[4]
    )


def test_windows_are_stored_in_seconds_and_updates(study):
    _, store, _ = study
    rows = api.load(store.folder).table("fault_windows")
    assert rows["fault"].tolist() == [PARTITION, CRASH] * 2
    assert rows["begun_update"].tolist() == [3, 5] * 2
    assert rows["lifted_update"].tolist() == [6, 6] * 2
    training = store.curve(*study[:1], "training")
    for trial, own in rows.groupby("trial"):
        ends = training[training["trial"] == trial]["seconds"].tolist()
        assert own["begun"].tolist() == [ends[1], ends[3]]
        assert own["lifted"].tolist() == [ends[4]] * 2


def test_every_event_has_its_update_and_an_update_alone_is_the_same_part_of_the_trace(study, whole):
    trial = study[0].trials[0]
    assert [event["update"] for event in whole] == sorted(event["update"] for event in whole)
    assert {event["update"] for event in whole} == set(range(1, 9))
    for update in (1, 4, 5):
        alone = [json.loads(line) for line in trace.record(trial, update).lines()]
        assert alone == [event for event in whole if event["update"] == update]
        assert alone


def test_faults_that_began_earlier_are_known_in_the_middle(study):
    (four,) = record_updates(study[0].trials[0], [4])
    (noted,) = four.trace.restorations
    assert [fault["fault"] for fault in noted.faults] == [PARTITION]
    assert set(noted.down) == {(0, 1), (1, 0), (0, 2), (2, 0)}


def test_a_checkpoint_saves_the_way_and_changes_nothing(study, tmp_path, monkeypatch):
    trial = study[0].trials[0]
    one = {"seed": trial.seed, "graph": trial.graph(), "updates": [4]}
    trainer = workloads.make_trainer(trial.settings, seed=trial.seed, graph=trial.graph())
    trainer.loop = trainer.loop.model_copy(update={"updates": 3})
    file = tmp_path / "checkpoint"
    trainer.train(checkpoint=file, identity=checkpoint_identity(trial.settings, 0, trial.graph()))
    (start,) = workloads.record_updates(trial.settings, **one)
    advanced = []
    advance = type(trainer).advance
    monkeypatch.setattr(
        type(trainer), "advance", lambda self: advanced.append(self.update + 1) or advance(self)
    )
    (resumed,) = workloads.record_updates(trial.settings, **one, checkpoint=file)
    assert advanced == [4]
    assert list(resumed.trace.lines()) == list(start.trace.lines())
    assert resumed.trace.restorations[-1].faults == start.trace.restorations[-1].faults
    file.write_bytes(b"damaged")
    file.with_name("checkpoint.before").unlink()
    with pytest.warns(RuntimeWarning, match="running from the start"):
        (again,) = workloads.record_updates(trial.settings, **one, checkpoint=file)
    assert list(again.trace.lines()) == list(start.trace.lines())


def test_the_report_opens_where_most_faults_were_active_and_has_the_first_and_the_last(page):
    written = page[0]
    assert written.replayed.startswith(
        "Trial 1 (seed 0), run again: policy updates 1, 5 and 8 of 8; the page"
    )
    assert written.replayed.endswith("opens on update 5, in which most faults were active (2).")
    assert not [line for line in written.warnings if "different results" in line]
    replay = reported.read(written.file).data["replay"]
    assert [one["update"] for one in replay["recordings"]] == [1, 5, 8]
    assert replay["opened"] == 1
    five = replay["recordings"][1]
    assert five["note"].startswith(f"Faults active in it: {PARTITION}; {CRASH}; ")
    assert {sort for sort, _ in five["words"]} >= {"fault", "lost"}


def test_the_next_step_is_the_trace_of_the_update_on_which_the_page_opens(study, page):
    _, store, _ = study
    for written, update in zip(page, (5, 4), strict=True):
        assert written.update == update
        steps = next_steps.after_report(
            store.folder, written.file, store.study(), written.trial, written.update
        )
        assert steps[-1].words == ("trace", next_steps.STUDY, "--trial", "1", "--update", str(update))


def test_the_network_of_another_update_can_be_asked_for_with_its_drops_by_reason(page, whole):
    replay = reported.read(page[1].file).data["replay"]
    assert [one["update"] for one in replay["recordings"]] == [1, 4, 5, 8]
    four = replay["recordings"][replay["opened"]]
    assert four["update"] == 4
    drops = Counter(e["reason"] for e in whole if e["update"] == 4 and e["event"] == "dropped")
    assert drops["link_down"]
    told = ", ".join(f"{n} {REASONS[why]}" for why, n in drops.most_common())
    assert f"; {drops.total()} messages dropped ({told})." in four["note"]
    assert four["option"] == f"update 4: 1 fault active, {drops.total()} messages dropped"


def test_the_same_results_give_the_same_page_and_updates_share_the_limit_of_events(study, tmp_path, page):
    _, store, _ = study
    again = report.write(store.folder, tmp_path / "again.html", updates=[4]).file
    assert again.read_bytes() == page[1].file.read_bytes()
    found = record_updates(study[0].trials[0], [2, 3], limit=5)
    assert [len(one.trace.events) for one in found] == [5, 5]
    assert not any(one.complete for one in found)
    assert found[0].numbers["update"] == 2  # it goes on to the next
    assert EVENTS_OF_ALL // update_choice.MOST >= 5000


def test_windows_are_shaded_in_the_figures_and_on_the_page(study, page):
    _, store, _ = study
    results = api.load(store.folder)
    faults = reported.read(page[0].file).data["faults"]
    assert faults["names"] == [PARTITION, CRASH]
    for name, table, axis, ends in (
        ("return_by_steps", "training", "steps", ((80, 200), (160, 200))),
        ("disagreement_by_update", "training", "update", ((2, 5), (4, 5))),
    ):
        figure = results.plot(name)
        drawn = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
        bands = [(each.get_x(), each.get_x() + each.get_width()) for each in drawn]
        assert bands == [pytest.approx(pair) for pair in ends]
        words = " ".join(" ".join(text.get_text() for text in figure.texts).split())
        assert f"active in all seeds: A: {PARTITION} B: {CRASH}" in words
        assert {"A", "B"} <= {text.get_text() for text in figure.axes[0].texts}
        plt.close(figure)
        assert faults["bands"][table][axis] == [
            [0, 0, None, *map(pytest.approx, ends[0])],
            [1, 0, None, *map(pytest.approx, ends[1])],
        ]
    seconds = faults["bands"]["training"]["seconds"]
    training = store.curve(study[0], "training").pivot(index="update", columns="trial", values="seconds")
    # Where it was active in both seeds, whose updates take different times.
    assert seconds[0][3:] == pytest.approx([training.loc[2].max(), training.loc[5].min()], rel=1e-4)


def test_results_of_a_version_without_windows_have_those_that_the_settings_plan(study, tmp_path):
    done, store, _ = study
    copied = type(store)(tmp_path / "old")
    shutil.copytree(store.folder, copied.folder)
    for trial in done.trials:
        folder = copied.trials / trial.hash
        (folder / "curves_fault_windows.parquet").unlink()
        (folder / "status.json").write_text(
            json.dumps({"status": "finished", "files": soundness.sums(folder)})
        )
    assert fault_windows.by_trial(done, copied) == fault_windows.by_trial(done, store)


def test_conditions_with_other_faults_have_bands_of_their_own():
    same, other = {"x": [(1.0, 2.0)]}, {"x": [(1.5, 3.0)], "y": [(0.0, 1.0)]}
    shared = fault_windows.bands({"a": [same, same], "b": [same]})
    assert [(b.condition, b.low, b.high) for b in shared] == [(None, 1, 2)]
    found = fault_windows.bands({"a": [same, same], "b": [other]})
    assert [(b.fault, b.condition, b.low, b.high) for b in found] == [
        ("y", "b", 0, 1),
        ("x", "a", 1, 2),
        ("x", "b", 1.5, 3),
    ]
    assert [(b.low, b.high) for b in fault_windows.bands({"a": [same, other]})] == [(1.5, 2)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("report", "out", "--update", "9"), "--update 9: trial 1 has 8 policy updates"),
        (("report", "out", "--update", "4", "--no-replay"), "--update and --no-replay cannot be combined"),
        (("trace", "study.yaml", "--update", "9"), "--update 9: trial 1 has 8 policy updates"),
    ],
)
def test_an_update_that_is_not_there_is_one_line(study, call, arguments, message):
    _, store, file = study
    Path("out").symlink_to(store.folder)
    shutil.copy(file, "study.yaml")
    before = sorted(store.folder.iterdir())
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(message)
    assert err.count("\n") == 1
    assert sorted(store.folder.iterdir()) == before
    assert not Path("runs").exists()


def test_the_trace_of_an_update_is_written_with_a_column(study, call):
    shutil.copy(study[2], "study.yaml")
    code, out, _ = call("trace", "study.yaml", "--update", "4")
    assert code == 0
    assert "running trial 1 again up to policy update 4: no stored times say how long it takes" in out
    (file,) = Path("runs").rglob("trace.parquet")
    assert file.parent.name == "update-4"
    table = pd.read_parquet(file)
    assert set(table["update"]) == {4}
    assert table.columns[:3].tolist() == ["time", "update", "event"]
    assert "policy update 4: " in (file.parent / "spacetime.svg").read_text()


def test_updates_are_chosen_from_python(study, page, tmp_path):
    _, store, file = study
    made = studies.write_report(store.folder, tmp_path / "page.html", updates=[4])
    assert made.file.read_bytes() == page[1].file.read_bytes()
    four = studies.trace(file, folder=tmp_path / "trace", update=4)
    assert {event.update for event in four.events} == {4}
    with pytest.raises(StudyError, match="--update 9: trial 1 has 8 policy updates"):
        studies.trace(file, update=9)


def test_long_runs_are_announced_and_not_begun_unasked(study, monkeypatch):
    done, store, _ = study
    trial = done.trials[0]
    windows = fault_windows.by_trial(done, store)[trial.hash]
    monkeypatch.setattr(update_choice, "wall_seconds", lambda *_: 7200.0)
    choice = update_choice.choose(store, trial, windows)
    assert (choice.updates, choice.opened) == ((1,), 1)
    assert choice.advice == (
        "In update 5 most faults were active: --update 5 replays it, which takes about 2 h 0 min"
    )
    assert update_choice.choose(store, trial, windows, [6]).updates == (1, 5, 6)
    with pytest.raises(StudyError, match="--update: 9 updates; a page replays at most 8"):
        update_choice.choose(store, trial, windows, range(1, 10))
    assert updates.announcement("trial 1", 40, 7200.0) == (
        "running trial 1 again up to policy update 40: about 2 h 0 min"
    )
    assert updates.announcement("trial 1", 40, 3.0) is None
