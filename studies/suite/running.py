"""Running a suite: each part is an ordinary study in its own folder, so a stopped suite continues."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from studies import text
from studies.execution import backends, requirements, runner
from studies.spec.document import StudyError
from studies.spec.study import Study
from studies.storage.store import Store
from studies.suite.definition import Suite
from studies.suite.plan import CONDITION, Choice, Part
from testbed.common.atomic_files import write_json
from testbed.common.json_files import parsed

RECORD = "suite.json"
"""The file of a results folder that says which version and size it holds."""


@dataclass(frozen=True)
class Ran:
    """The trials of a suite after a command: run by it, finished earlier, and failed."""

    run: int
    kept: int
    failed: int


def store_of(folder: Path, part: Part) -> Store:
    """The results folder of one part."""
    return Store(folder / "parts" / part.task / text.folder_name(part.method.label.replace(" ", "-")))


def refuse_another(folder: Path, suite: Suite, size: str) -> None:
    """Raises StudyError, one line, if a folder holds another version or size; writes nothing.

    Their numbers must not meet these in a table.
    """
    file = folder / RECORD
    if folder.exists() and not folder.is_dir():
        raise StudyError(f"--out {folder}: is a file, not a folder")
    if file.exists():
        try:
            before = parsed(file)
        except (OSError, ValueError) as error:
            raise StudyError(f"{file}: cannot be read: {' '.join(str(error).split())}") from error
        for key, value in _record(suite, size).items():
            if not isinstance(before, dict) or before.get(key) != value:
                had = before.get(key) if isinstance(before, dict) else None
                raise StudyError(
                    f"{folder}: holds {key} = {had!r}, not {value!r}; versions and sizes are never mixed:"
                    " choose another folder (--out)"
                )


def claim(folder: Path, suite: Suite, size: str) -> None:
    """Records which version and size a folder holds, before anything is run in it.

    Raises:
        StudyError: it holds another version or size, or cannot be made; one line.
    """
    refuse_another(folder, suite, size)
    if (folder / RECORD).exists():
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / RECORD, _record(suite, size))
    except OSError as error:
        raise StudyError(f"--out {folder}: cannot be created: {error.strerror}") from error


def _record(suite: Suite, size: str) -> dict[str, str]:
    return {"suite": suite.name, "hash": suite.digest, "size": size}


def selected(study: Study, choice: Choice) -> Study:
    """The trials of a study that a command asks for."""
    wanted = tuple(t for t in study.trials if choice.has_condition(str(t.varied[CONDITION])))
    return replace(study, trials=wanted)


def check(parts: Sequence[Part], choice: Choice) -> None:
    """Raises StudyError, one line, if this machine lacks something that a part needs."""
    for _, _, study in _studies(parts, choice):
        requirements.check(study)
        requirements.check_memory(study)


def run(
    parts: Sequence[Part],
    choice: Choice,
    folder: Path,
    *,
    jobs: int | None,
    on: str,
    console: Console,
    warn: Callable[[str], None],
) -> Ran:
    """Runs the missing trials of the parts that are asked for, a study after the other.

    Failed trials are recorded in their folders, and the others continue.

    Args:
        parts: all parts of the size.
        choice: what is asked for.
        folder: the results folder.
        jobs, on: as for ``testbed run``.
        console: shows progress.
        warn: receives a line about each failed trial and about damaged results.
    """
    done = kept = failed = 0
    for part, whole, study in _studies(parts, choice):
        store = store_of(folder, part)
        for line in store.remember(whole):  # with all its conditions, so that none is ever lost
            warn(line)
        missing = [trial for trial in study.trials if store.status(trial) != "finished"]
        if not missing:
            kept += len(study.trials)
            continue
        console.print(
            f"{part.task} by {part.method.label}: {len(missing)} of {len(study.trials)} trials", markup=False
        )
        executor = backends.executor(on, jobs, store.folder)
        outcome = runner.run(study, store, executor=executor, console=console, brief=True)
        store.summarise(whole)
        done, kept = done + outcome.run, kept + outcome.kept + outcome.others
        failed += len(outcome.failed)
        for trial, reason in zip(outcome.failed, outcome.reasons, strict=True):
            where = f"{part.task} by {part.method.label}: {trial.title}"
            warn(f"failed: {where}: {reason} ({store.traceback(trial)})")
    return Ran(done, kept, failed)


def _studies(parts: Sequence[Part], choice: Choice) -> Iterator[tuple[Part, Study, Study]]:
    """The parts that are asked for and have trials: the part, its study, and what is asked of it."""
    for part in parts:
        if part.study is not None and choice.has_task(part.task):
            yield part, part.study, selected(part.study, choice)
