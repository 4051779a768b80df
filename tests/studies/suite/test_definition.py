"""The versions of the suite that come with the package: files that people read, and a hash of them."""

import shutil

import pytest

from studies.spec.document import StudyError
from studies.spec.loading import load
from studies.suite import definition, methods, plan

PINNED = {"consensus-suite-1": "bf15cf95f5e0c426b2a4a1c7b9742316cf10556844b8110d0e00ca67686578fa"}

LITE_CELLS = 819
"""Trials of `lite` by all methods here, besides the centre's exact optima."""


@pytest.fixture(scope="module")
def latest():
    return definition.load()


@pytest.mark.parametrize("name", PINNED)
def test_a_version_has_the_hash_that_it_was_released_with(name):
    found = definition.load(name).digest
    assert found == PINNED[name], (
        f"the files of {name} have changed, so old results no longer belong to it: undo that, or make"
        " consensus-suite-2 (a folder of its own) and pin its hash here"
    )


def test_every_version_is_pinned():
    assert sorted(place.name for place in definition.home().iterdir() if place.is_dir()) == sorted(PINNED)


def test_the_hash_covers_names_and_bytes(latest, tmp_path):
    copies = [tmp_path / name / latest.name for name in ("same", "renamed", "changed")]
    for copy in copies:
        shutil.copytree(latest.folder, copy)
    (copies[1] / "cellular.csv").rename(copies[1] / "cellulaR.csv")
    with (copies[2] / "treasure-8.yaml").open("a") as file:
        file.write("# a comment\n")
    digests = [definition.load(latest.name, copy.parent).digest for copy in copies]
    assert digests[0] == latest.digest
    assert len(set(digests)) == 3


def test_each_task_is_a_study_of_its_own(latest):
    for task in latest.scores:
        study = load(str(latest.folder / f"{task}.yaml"))
        assert study.question
        assert {trial.settings.consensus.budget.seconds is None for trial in study.trials} == {False}


def test_every_method_here_has_settings_or_a_reason_in_every_task(latest):
    for method in methods.builtin(latest).values():
        for task in latest.scores:
            workload = latest.document(task).data["workload"]
            settings, reason = method.on(task, workload)
            assert settings is not None or not reason.startswith("has no settings"), (method.name, task)


def test_no_condition_is_refused_for_a_method_here(latest):
    """A condition that a validator refuses becomes an empty cell with the reason: here there are none."""
    trials = 0
    for part in plan.parts(latest, latest.size("lite"), list(methods.builtin(latest).values())):
        said = {*part.method.settings.not_for.values(), "is measured over the perfect network only"}
        assert set(part.empty.values()) <= said, part.task
        trials += 0 if part.study is None else len(part.study.trials)
    assert trials == LITE_CELLS


def test_sizes_grow(latest):
    seeds = [latest.sizes[name].seeds for name in ("lite", "standard", "full")]
    assert seeds == [3, 5, 10]
    assert set(latest.sizes["full"].tasks) == set(latest.scores)


def test_unknown_sizes_and_versions_are_refused(latest):
    with pytest.raises(
        StudyError, match=r"size = 'lit': must be one of lite, standard, full; did you mean 'lite'"
    ):
        latest.size("lit")
    with pytest.raises(StudyError, match="no such version"):
        definition.load("consensus-suite-0")


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("sizes.yaml", "{mean: {}, ", "{maen: {}, ", r"sizes.yaml: lite: 'maen' is not a task with a score"),
        (
            "sizes.yaml",
            "[perfect, loss 30 %, no network]",
            "[perfekt]",
            r"logistic: 'perfekt' is not a condition",
        ),
        (
            "conditions.yaml",
            "no network:",
            "nothing:",
            r"needs the condition 'no network'|is not a condition",
        ),
        ("conditions.yaml", "not_for: {logistic", "not_for: {logic", r"not_for: 'logic' is not a task"),
        ("scores.yaml", "scale: linear", "scale: cubic", r"scores.yaml: learning.scale"),
        ("reference.yaml", "relaxed:", "a: {}\nrelaxed:", r"has 2 methods, must have one"),
    ],
)
def test_mistakes_in_the_files_are_one_line(folder, tmp_path, file, old, new, message):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    place = tmp_path / "tiny-1" / file
    assert old in place.read_text()
    place.write_text(place.read_text().replace(old, new))
    with pytest.raises(StudyError, match=message) as error:
        definition.load("tiny-1", tmp_path)
    assert "\n" not in str(error.value)
