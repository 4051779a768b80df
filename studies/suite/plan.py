"""The studies of a suite: one for each task and method, in which the condition varies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from studies.spec.document import Document, StudyError, dotted, split
from studies.spec.resolving import resolve
from studies.spec.study import Study, TrialSpec
from studies.spec.synonyms import did_you_mean
from studies.suite.definition import NO_NETWORK, PERFECT, Size, Suite
from studies.suite.methods import EXACT, Method

TRAINING = "training"
"""The workload whose deadline is that of each of its agreements."""

CONDITION = "condition"
"""The key of ``vary`` in every study of the suite."""


@dataclass(frozen=True)
class Part:
    """One task by one method.

    Attributes:
        task, method: which.
        workload: the task's.
        study: the ordinary study that runs it, with all conditions that apply; None if none does or the
            method is computed (``exact``).
        exact: whether it is the exact optimum at a centre, which is computed and not simulated.
        empty: condition -> why it has no result; conditions of the size alone.
        base: the trials over the perfect network that an ``exact`` one is charged for; otherwise none.
    """

    task: str
    method: Method
    workload: str
    study: Study | None
    exact: bool = False
    empty: Mapping[str, str] = field(default_factory=dict)
    base: tuple[TrialSpec, ...] = ()

    @property
    def deadline(self) -> float | None:
        """Simulated seconds that a trial may take; None in training, where each agreement has a deadline."""
        if self.study is None or self.workload == TRAINING:
            return None
        return self.study.trials[0].settings.consensus.budget.seconds


@dataclass(frozen=True)
class Choice:
    """The part of a size that a command asks for; empty: all of it."""

    tasks: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()

    def has_task(self, task: str) -> bool:
        """Whether a task is asked for."""
        return not self.tasks or task in self.tasks

    def has_condition(self, condition: str) -> bool:
        """Whether a condition is asked for; those that scores are relative to always are."""
        return not self.conditions or condition in (*self.conditions, PERFECT, NO_NETWORK)


def choose(suite: Suite, size: Size, tasks: Sequence[str], conditions: Sequence[str]) -> Choice:
    """A checked choice. Raises StudyError for a task or condition that the size does not have; one line."""
    for option, given, known in (
        ("--task", tasks, size.tasks),
        ("--condition", conditions, suite.conditions),
    ):
        for name in given:
            if name not in known:
                raise StudyError(
                    f"{option} {name}: must be one of {', '.join(known)}{did_you_mean(name, known)}"
                )
    return Choice(tuple(tasks), tuple(conditions))


def parts(suite: Suite, size: Size, methods: Sequence[Method]) -> list[Part]:
    """The parts of a size, whatever is asked for: a study always has all its conditions.

    Raises:
        StudyError: a method's settings are invalid in a task even over the perfect network; one line.
    """
    return [_part(suite, size, task, method) for task in size.tasks for method in methods]


def _part(suite: Suite, size: Size, task: str, method: Method) -> Part:
    document = suite.document(task)
    workload = str(document.data["workload"])
    conditions = suite.conditions_of(size, task)
    settings, reason = method.on(task, workload)
    if settings is None:
        return Part(task, method, workload, None, empty=dict.fromkeys(conditions, reason))
    only = method.settings.only
    empty = {
        name: "is measured over the perfect network only"
        for name in conditions
        if only is not None and name not in only
    }
    wanted = [name for name in conditions if name not in empty]
    exact = settings == EXACT
    own: Mapping[str, Any] = {} if isinstance(settings, str) else settings

    def study(names: Sequence[str]) -> Study:
        return resolve(
            _document(suite, size, task, own, names, f"method {method.name}"), f"{task}-{method.name}"
        )

    if exact:
        return Part(task, method, workload, None, exact=True, empty=empty, base=study([PERFECT]).trials)
    try:
        return Part(task, method, workload, study(wanted), empty=empty)
    except StudyError:
        refused = _refused(study, wanted)
    if PERFECT in refused:
        raise StudyError(f"method {method.name}: {task}: {refused[PERFECT]}")
    left = [name for name in wanted if name not in refused]
    return Part(task, method, workload, study(left), empty={**empty, **refused})


def _refused(study: Any, names: Sequence[str]) -> dict[str, str]:
    """The conditions that no valid trial of the method has, with the message that refuses each."""
    found = {}
    for name in names:
        try:
            study([name])
        except StudyError as error:
            first = error.problems[0] if error.problems else None
            found[name] = f"{dotted(first.keys)}: {first.reason}" if first else str(error).splitlines()[0]
    return found


def _document(
    suite: Suite, size: Size, task: str, own: Mapping[str, Any], conditions: Sequence[str], where: str
) -> Document:
    """The study file of a task, with the size's and the method's settings on top, and the conditions."""
    document = suite.document(task)
    for source, settings in (("sizes.yaml", size.tasks[task].settings), (where, own)):
        for path, value in settings.items():
            document.put(split(path, source), value, {(): source})
    cases = {name: dict(suite.conditions[name].settings) for name in conditions}
    document.put(("vary",), {CONDITION: cases}, {(): "conditions.yaml"})
    document.put(("seeds",), size.seeds, {(): "sizes.yaml"})
    return document
