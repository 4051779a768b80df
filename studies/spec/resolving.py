"""Expansion of a study file into a list of trials, each of them checked before anything runs."""

from __future__ import annotations

import math
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from pydantic import ValidationError

from studies.spec import grid, presentation, trained
from studies.spec.document import Document, Keys, Problem, StudyError
from studies.spec.named_files import read_files
from studies.spec.study import HEADER_KEYS, TOP_KEYS, WORKLOADS, Header, Study, TrialSpec
from studies.spec.synonyms import did_you_mean
from studies.spec.trial_checks import (
    check_batch,
    check_graph,
    check_models,
    check_samples,
    check_settings,
    check_topology,
)
from studies.spec.validation_errors import complaint, problem, problems
from testbed.workloads import fault_reach

_Checked = typing.TypeVar("_Checked")

MOST_TRIALS = 100_000
"""Maximum number of trials of one study."""


def resolve(document: Document, name: str) -> Study:
    """Expands and checks a study that has been read.

    Raises:
        StudyError: the study is invalid; one line per problem.
    """
    data = document.data
    workload = data.get("workload")
    if not isinstance(workload, str) or workload not in WORKLOADS:
        allowed = f"must be one of {', '.join(WORKLOADS)}"
        if "workload" not in data:
            raise complaint(document, ("workload",), f"missing; {allowed}")
        raise complaint(document, ("workload",), allowed + did_you_mean(workload, WORKLOADS), value=workload)
    found = _Found()
    header = found.attempt(partial(_header, document))
    if header is None:
        if "vary" in data:  # what the settings are without it, nobody wants to know
            raise StudyError.of(found.problems)
        header = Header()
    levels = grid.read(document, TOP_KEYS, HEADER_KEYS)
    shown = (header.reach, header.figures, tuple(levels), workload)
    found.attempt(partial(presentation.check, document, *shown))
    _check_number(document, levels, len(header.seeds))
    seen: dict[str, TrialSpec] = {}
    for trial in _trials(document, header, levels, workload, found):
        earlier = seen.get(trial.hash)
        if earlier is not None and earlier.resolved == trial.resolved:
            reason = f"two trials are identical: {earlier.title} and {trial.title}"
            raise complaint(document, ("vary",), reason)
        one = trial if earlier is None else replace(trial, apart=True)
        seen[one.hash] = one
    found.problems = found.problems or list(_not_finite(document, data))
    if found.problems:
        raise StudyError.of(found.problems)
    trials = tuple(seen.values())
    return Study(
        name=name,
        question=header.question,
        workload=workload,
        varied=tuple(levels),
        trials=trials,
        environment_factors=grid.environment_factors(levels),
        comparison_factor=grid.comparison_factor(levels),
        document=data,
    )


def _not_finite(document: Document, value: object, keys: Keys = ()) -> Iterator[Problem]:
    """Non-finite numbers in parts that are not otherwise validated, as in an unused quick form."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _not_finite(document, inner, (*keys, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _not_finite(document, inner, (*keys, index))
    elif isinstance(value, float) and not math.isfinite(value):
        yield problem(document, keys, "must be a finite number", value=value)


def _check_number(document: Document, levels: Mapping[str, Sequence[grid.Level]], seeds: int) -> None:
    """Counts the trials before any is created: a few short lists can specify billions."""
    numbers = [*(len(values) for values in levels.values()), seeds]
    if (total := math.prod(numbers)) > MOST_TRIALS:
        product = " x ".join(f"{number:,}" for number in numbers)
        reason = f"{product} (with the seeds) make {total:,} trials; must be at most {MOST_TRIALS:,}"
        raise complaint(document, ("vary",) if levels else ("seeds",), reason)


class _Found:
    """Collects problems, so that all of them can be reported at once."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.failures = 0

    def attempt(self, check: Callable[[], _Checked], apart_from: Sequence[Keys] = ()) -> _Checked | None:
        """The result of a check; None if it found problems, which are collected.

        Args:
            check: raises StudyError for problems.
            apart_from: values already known to be invalid; enclosing values are not reported again.

        Raises:
            StudyError: the check failed for a reason that concerns no single value of the study.
        """
        try:
            return check()
        except StudyError as error:
            if not error.problems:
                raise
            for each in error.problems:
                known = any(keys[: len(each.keys)] == each.keys for keys in apart_from)
                if not known and each not in self.problems:
                    self.problems.append(each)
            self.failures += 1
            return None


ENOUGH = 50
"""Number of invalid conditions after which the rest of a grid is not checked."""


def _header(document: Document) -> Header:
    data = document.data
    try:
        return Header.model_validate({key: data[key] for key in HEADER_KEYS if key in data})
    except ValidationError as error:
        raise StudyError.of(problems(error, Header, document)) from error


def _trials(
    document: Document,
    header: Header,
    levels: Mapping[str, Sequence[grid.Level]],
    workload: str,
    found: _Found,
) -> Iterator[TrialSpec]:
    """The valid trials; the problems of the others are in ``found``."""
    checked: set[tuple[object, ...]] = set()
    idle = _IdleFaults()
    filling = grid.Filling(document, levels, HEADER_KEYS)
    contents: dict[str, dict[str, str]] = {}  # each file is read once, for all trials
    for cell in grid.cells(levels):
        if found.failures >= ENOUGH:
            return
        filled = filling.fill(cell)
        known = len(found.problems)
        files = found.attempt(partial(read_files, filled, contents))
        gone = [each.keys for each in found.problems[known:]]
        settings = found.attempt(partial(check_settings, filled, workload), apart_from=gone)
        topology = found.attempt(partial(check_topology, filled))
        if files is None or settings is None or topology is None:
            continue
        if not found.attempt(partial(check_samples, filled, settings)):
            continue
        starts = found.attempt(partial(trained.find, filled, settings, header.seeds, contents))
        if starts is None:
            continue
        if not found.attempt(partial(check_models, filled, settings, starts, checked)):
            continue
        if not found.attempt(partial(check_batch, filled, settings, checked)):
            continue
        varied = {name: level.label for name, level in cell.items()}
        said = [part.model_dump_json() for part in (topology, settings.network)]
        for seed in header.seeds:
            # Time can only run out, or not, where the number of activations does not.
            timed = settings.consensus if settings.consensus.budget.activations is None else None
            key = (*said, getattr(settings, "algorithm", None), settings.agents, seed, timed)
            if key not in checked:
                if not found.attempt(partial(check_graph, filled, settings, topology, seed)):
                    break
                checked.add(key)
            start = starts.get(seed)
            named = files if start is None else {**files, str(start): contents[str(start)]}
            trial = TrialSpec(trained.starting(settings, start), topology, seed, varied, named)
            idle.look(trial, filled)
            yield trial
    if not found.problems:
        found.problems += idle.problems()


class _IdleFaults:
    """Detects faults that begin in none of the trials that have them.

    A fault that begins in some of them is valid: a grid may compare algorithms that send messages with others
    that send none.
    """

    def __init__(self) -> None:
        self._never: dict[tuple[str, str], Problem] = {}
        """Faults by their place in the study and their settings."""
        self._begins: set[tuple[str, str]] = set()

    def look(self, trial: TrialSpec, document: Document) -> None:
        """Records the faults of a trial, with the document of its study."""
        faults = trial.settings.network.faults
        never = (
            {each.fault: each for each in fault_reach.never(trial.settings, trial.graph)} if faults else {}
        )
        for number, fault in enumerate(faults):
            keys: Keys = ("network", "faults", number)
            name = document.place(keys), fault.model_dump_json()
            if number not in never:
                self._begins.add(name)
            elif name not in self._never:
                found = never[number]
                allowed = f"; allowed: {', '.join(found.allowed)}" if found.allowed else ""
                reason = f"{found.reason}{allowed}{did_you_mean(found.value, found.allowed)}"
                self._never[name] = problem(document, (*keys, *found.keys), reason, value=found.value)

    def problems(self) -> list[Problem]:
        """One for each of them."""
        return [each for name, each in self._never.items() if name not in self._begins]
