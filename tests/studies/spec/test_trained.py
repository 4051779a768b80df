"""`training.start_from`: the trained models of an earlier study, found by seed."""

import shutil

import pytest
import yaml

from studies.spec.document import StudyError
from studies.spec.loading import load
from testbed import workloads
from testbed.common import checkpoints

TRAINING = {
    "workload": "training",
    "environment": {"name": "navigation", "agents": 3, "episode_length": 5},
    "algorithm": {"name": "matrpo", "hidden": [4]},
    "consensus": {"budget": {"activations": 6}},
    "training": {"updates": 1, "samples": 10},
    "seeds": 2,
}


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """Folders of results: `one` has a trial of each seed, `two` has two that differ in their loss."""
    from studies.storage.store import Store

    base = tmp_path_factory.mktemp("earlier")
    for name, vary in (("one", {}), ("two", {"network.link.loss": [0, 0.5]})):
        file = base / f"{name}.yaml"
        file.write_text(yaml.safe_dump(TRAINING | ({"vary": vary} if vary else {})))
        study = load(str(file))
        store = Store(base / name)
        store.remember(study)
        for trial in study.trials:
            result = workloads.run(trial.settings, seed=trial.seed, graph=trial.graph())
            store.write(trial, result.metrics, result.curves, {}, 1.0, result.models)
    return base


@pytest.fixture
def later(tmp_path, earlier):
    """Loads a study that starts from the given place, relative to the folder of its file."""
    shutil.copytree(earlier, tmp_path, dirs_exist_ok=True)

    def make(start, **more):
        file = tmp_path / "later.yaml"
        training = TRAINING["training"] | {"start_from": start}
        file.write_text(yaml.safe_dump(TRAINING | {"training": training} | more))
        return load(str(file))

    return make


def hashes(folder):
    """The names of the stored trials by seed, in order of the loss."""
    study = load(str(folder) + ".yaml")
    return {(trial.seed, *trial.varied.values()): trial.hash for trial in study.trials}


def test_each_seed_goes_on_from_the_trial_of_its_own(later, tmp_path):
    study = later("one")
    names = hashes(tmp_path / "one")
    for trial in study.trials:
        file = tmp_path / "one" / "trials" / names[trial.seed,] / "models.pt"
        assert trial.settings.training.start_from == file
        assert str(file) in trial.contents
    by_where = later({"run": "two", "where": {"network.link.loss": 0.5}})
    names = hashes(tmp_path / "two")
    found = [trial.settings.training.start_from.parent.name for trial in by_where.trials]
    assert found == [names[0, 0.5], names[1, 0.5]]


def test_a_trial_or_its_file_serves_all_seeds(later, tmp_path):
    folder = tmp_path / "two" / "trials" / hashes(tmp_path / "two")[1, 0]
    for place in (folder, folder / "models.pt"):
        study = later(str(place.relative_to(tmp_path)))
        assert {trial.settings.training.start_from for trial in study.trials} == {folder / "models.pt"}


def test_trials_are_named_by_the_models_and_not_by_their_place(later, tmp_path):
    before = [trial.hash for trial in later("one").trials]
    shutil.move(tmp_path / "one", tmp_path / "moved")
    assert [trial.hash for trial in later("moved").trials] == before
    untrained = [trial.hash for trial in later(None).trials]
    assert set(untrained).isdisjoint(before)
    names = hashes(tmp_path / "one")
    other = tmp_path / "moved" / "trials" / names[0,] / "models.pt"
    state = checkpoints.load(other, None)
    state["learner"]["theta"][0] += 1
    checkpoints.save(other, state, names[0,])
    changed = [trial.hash for trial in later("moved").trials]
    assert changed[0] != before[0]
    assert changed[1] == before[1]


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ("two", r"has 2 trials with seed 0 \(loss=0 seed=0, loss=0.5 seed=0\): choose one with `where`"),
        ({"run": "two", "where": {"loss": 0}}, "where: loss is not varied in .*; allowed: network.link.loss"),
        ({"run": "two", "where": {"network.link.loss": 0.3}}, "0.3 is not among 0, 0.5 in "),
        ({"run": "one", "where": {"seed": 0}}, "where: seed is not varied in .*; allowed: nothing"),
        ({"run": "one.yaml", "where": {"seed": 0}}, "is not a results folder, as `where` needs"),
        ({"run": "none"}, "there is no such file or folder"),
        ("none", "there is no such file"),
        ("one.yaml", "one.yaml cannot be read"),
        ("one/trials", "neither a results folder nor a trial's"),
        (3, "must be a path"),
        ({"rum": "one"}, "unknown key"),
    ],
)
def test_another_place_is_refused_in_one_line(later, start, said):
    with pytest.raises(StudyError, match=rf"later.yaml:\d+: training.start_from.*{said}"):
        later(start)


def test_a_seed_that_was_not_trained_or_did_not_finish_is_refused(later, tmp_path):
    with pytest.raises(StudyError, match=r"has no trial with seed 2; its seeds are 0, 1$"):
        later("one", seeds=3)
    (tmp_path / "one" / "trials" / hashes(tmp_path / "one")[1,] / "models.pt").unlink()
    with pytest.raises(StudyError, match=r"seed=1 has no models.pt: it has not finished$"):
        later("one")


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"format": 99}', "[" * 200 + "]" * 200])
def test_a_damaged_record_of_a_study_is_refused_in_one_line(later, tmp_path, text):
    (tmp_path / "one" / "study.json").write_text(text)
    with pytest.raises(StudyError, match=r"training.start_from: .*study.json: [^\n]+$"):
        later("one")


def test_models_of_another_size_are_refused_before_anything_runs(later):
    with pytest.raises(StudyError, match="stored models do not fit"):
        later("one", algorithm={"name": "matrpo", "hidden": [5]})
