"""The commands that are useful next: each command prints its own at its end, all of them from here."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from studies import text
from studies.cli.options import out

if TYPE_CHECKING:
    from studies.spec.manifest import StoredStudy

WIDE = 60
"""Characters of the longest command up to which the purposes of several are below each other."""

STUDY = "STUDY"
"""Stands for a study file whose place the results do not tell."""


@dataclass(frozen=True)
class Step:
    """A command of the testbed and its purpose.

    Attributes:
        words: the command and its arguments, without the program; or a sentence, if it is not a command.
        purpose: what it is good for; may be empty.
    """

    words: tuple[str, ...] | str
    purpose: str = ""

    def __str__(self) -> str:
        return self.words if isinstance(self.words, str) else text.command([program(), *self.words])


def program() -> str:
    """The program as this shell finds it: ``testbed``, or the path by which it was called."""
    called = Path(sys.argv[0])
    found = shutil.which("testbed")
    if called.name != "testbed" or (found is not None and Path(found).resolve() == called.resolve()):
        return "testbed"
    return sys.argv[0]


def show(steps: Iterable[Step]) -> None:
    """Prints the steps, a line each; nothing if there are none."""
    listed = list(steps)
    width = max((len(str(step)) for step in listed if step.purpose), default=0)
    width = width if width <= WIDE else 0  # a long command would push the purposes of all out of sight
    for number, step in enumerate(listed):
        purpose = f"  # {step.purpose}" if step.purpose else ""
        line = f"{step!s:<{width}}{purpose}" if purpose else str(step)
        out.print(f"{'next:' if number == 0 else '':<9}{line}", markup=False)


def study_words(
    command: str,
    study: str,
    folder: Path | None = None,
    overrides: Sequence[str] | None = None,
    *,
    quick: bool = False,
) -> tuple[str, ...]:
    """A command on a study with the options that another was given."""
    words = [command, text.path_argument(study)]
    for override in overrides or ():
        words += ["--set", override]
    words += ["--quick"] if quick else []
    return tuple(words if folder is None else [*words, "--out", str(folder)])


def after_checking(run: Sequence[str], *, here: bool = True) -> list[Step]:
    """After ``validate`` and ``run --dry-run``.

    Args:
        run: the words of the ``run`` command.
        here: whether this machine has the devices that the trials compute on.
    """
    where = "" if here else " on a machine with a CUDA device"
    return [Step(tuple(run), f"runs the trials{where}; if stopped, the same command continues")]


def after_running(folder: Path, *, finished: bool, failed: bool) -> list[Step]:
    """After ``run`` and ``train``: how to read the results, or the reasons of failures."""
    where = _path(folder)
    steps = [Step(("status", where), "each failed trial with its reason")] if failed else []
    if finished:
        steps += [
            Step(("report", where), "one page: curves, numbers, a replay of the network"),
            Step(("table", where), "the numbers of each condition over the seeds"),
        ]
    return steps


def after_status(folder: Path, *, some: bool, every: bool) -> list[Step]:
    """After ``status``; ``some`` and ``every`` tell how many trials are finished."""
    if every:
        return after_running(folder, finished=True, failed=False)
    numbers = [Step(("table", _path(folder)), "the numbers so far")] if some else []
    return [Step("the command that ran the study continues it"), *numbers]


def after_table(folder: Path) -> list[Step]:
    """After ``table`` for people; its other forms are for programs and have no further lines."""
    where = _path(folder)
    return [
        Step(("report", where), "one page: curves, numbers, a replay of the network"),
        Step(("export", where, f"{text.folder_name(folder.resolve().name)}.zip"), "an archive to share"),
    ]


def after_comparing(first: Path, second: Path) -> list[Step]:
    """After ``compare``."""
    return [Step(("table", _path(folder)), "all its numbers") for folder in dict.fromkeys((first, second))]


def after_report(
    folder: Path, file: Path, study: StoredStudy, number: int | None, update: int | None = None
) -> list[Step]:
    """After ``report``: the page, and a closer look at the trial that it replays.

    Args:
        folder: the results.
        file: the page.
        study: the stored study.
        number: the trial that was run again, from 1; None: there is no replay.
        update: the policy update on which the page opens, from 1; None: the trial has none.
    """
    from studies.storage.store import default_folder

    steps = [Step(f"open {text.visible(str(file))} in a browser")]
    if number is None:
        return steps
    short = folder.resolve() == default_folder(study.name, quick=True).resolve()
    name, *quick = again = _built_in(study) or (STUDY, *(["--quick"] if short else []))
    hint = "; STUDY is its study file" if name == STUDY else ""
    models = folder / "trials" / study.trials[number - 1].hash / "models.pt"
    if models.is_file():
        at_home = folder.resolve() == default_folder(study.name, quick=bool(quick)).resolve()
        where = () if at_home else ("--checkpoint", str(models))
        words = ("play", *again, "--trial", str(number), *where)
        steps.append(Step(words, f"a film of what its agents have learnt{hint}"))
    words = (
        "trace",
        *again,
        "--trial",
        str(number),
        *(("--update", str(update)) if update is not None else ()),
    )
    return [*steps, Step(words, f"every event on its network{hint}")]


def after_trace(words: Sequence[str]) -> list[Step]:
    """After ``trace`` without ``--check``; ``words`` are those of the command."""
    return [Step((*words, "--check"), "runs it twice: is the trace the same?")]


def after_playing(words: Sequence[str], *, learnt: bool) -> list[Step]:
    """After ``play``; ``words`` are those of the command without a policy."""
    return [Step((*words, "--policy", "random"), "the same without learning, to compare")] if learnt else []


def after_batch(run: Sequence[str], file: Path) -> list[Step]:
    """After ``batch``; ``run`` are the words of the command that runs the study.

    A study looks for a relative file next to its own, so the path is absolute.
    """
    return [Step((*run, "--set", f"update.batch={file.resolve()}"), "every trial learns from this batch")]


def after_studies() -> list[Step]:
    """After ``studies``."""
    return [
        Step(("run", "demo"), "perfect, lossy and no network in two minutes"),
        Step(("run", "topologies", "--quick"), "another one in its short form"),
    ]


def after_topologies(nodes: int, family: str | None) -> list[Step]:
    """After ``topologies`` without a drawing; ``family`` is one of those listed, None if none is."""
    if family is None:
        return []
    words = ("topologies", "--nodes", str(nodes), "--name", family, "--draw", f"{family}.png")
    return [Step(words, "a drawing of one of them")]


def after_topology_file(file: Path) -> list[Step]:
    """After ``topologies FILE`` without a drawing."""
    return [Step(("topologies", _path(file), "--draw", f"{file.stem}.png"), "a drawing of it")]


def after_suite(folder: Path) -> list[Step]:
    """After ``suite`` with a size."""
    return [Step(("suite", "check", _path(folder)), "checks the submissions, as for a leaderboard")]


def _path(path: Path) -> str:
    return text.path_argument(str(path))


def _built_in(study: StoredStudy) -> tuple[str, ...] | None:
    """The arguments for the built-in study that these results are of; None if they are of none.

    Only built-in studies are read: a file may name code, which reading results must not run.
    """
    from studies.spec.builtin import builtin_names
    from studies.spec.loading import load

    if study.name not in builtin_names():
        return None
    stored = [trial.hash for trial in study.trials]
    for quick in ((), ("--quick",)):
        if [trial.hash for trial in load(study.name, quick=bool(quick)).trials] == stored:
            return (study.name, *quick)
    return None
