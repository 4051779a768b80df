"""The methods of the suite: what each sets in a task, and where it does not apply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studies import text
from studies.spec.document import StudyError
from studies.spec.synonyms import did_you_mean
from studies.suite.definition import MethodSettings, Suite, mapping

EXACT = "exact"
"""Stands for the settings of the centre of a convex problem, which is computed and not simulated."""

FIXED = ("consensus.compute", "consensus.budget.seconds", "consensus.curve_every")
"""Settings of consensus that belong to the task."""

LONGEST = 60
"""Characters of a method's name, which must fit beside a figure."""

WORKLOADS = ("problem", "update", "training")


@dataclass(frozen=True)
class Method:
    """A method that the suite measures.

    Attributes:
        name: in tables; also of its folder.
        settings: what it sets and where it does not apply.
        digest: of the code of a method given on the command line, so that results of changed code are not
            taken for those of the new; empty for methods that come with the testbed.
    """

    name: str
    settings: MethodSettings
    digest: str = ""

    @property
    def label(self) -> str:
        """Its name, with the beginning of the digest if it has one: two versions are two methods."""
        return f"{self.name}@{self.digest[:8]}" if self.digest else self.name

    def on(self, task: str, workload: str) -> tuple[Mapping[str, Any] | str | None, str]:
        """Its settings in a task, and the reason if there are none."""
        own = self.settings
        for key in (task, workload):
            if key in own.settings:
                return own.settings[key], ""
            if key in own.not_for:
                return None, own.not_for[key]
        return None, f"has no settings for {task}, nor for {workload}"


def checked(method: Method, suite: Suite) -> Method:
    """The method, if it sets only what a method may set.

    Raises:
        StudyError: it names an unknown task or condition, or sets what belongs to the task; one line.
    """
    own, where = method.settings, f"method {method.name}"
    plain = 0 < len(method.name) <= LONGEST and text.label(method.name) == method.name
    if not plain:
        shown = text.shortened(repr(method.name))
        raise StudyError(
            f"method: name = {shown}: must have 1 to {LONGEST} characters that can be seen, and begin and end"
            " with one"
        )
    known = [*suite.scores, *WORKLOADS]
    for key in [*own.settings, *own.not_for]:
        if key not in known:
            raise StudyError(f"{where}: {key!r} is neither a task nor a workload: {', '.join(known)}")
        if key in own.settings and key in own.not_for:
            raise StudyError(f"{where}: {key}: is both in settings and in not_for; must be in one of them")
    for condition in own.only or ():
        if condition not in suite.conditions:
            raise StudyError(
                f"{where}: only: {condition!r} is not a condition{did_you_mean(condition, suite.conditions)}"
            )
    for task, settings in own.settings.items():
        if isinstance(settings, str):  # EXACT
            continue
        for path in _paths(settings):
            if path.split(".")[0] not in ("consensus", "algorithm"):
                shown = path or "an empty key"
                raise StudyError(
                    f"{where}: {task}: sets {shown}; a method may set only consensus and algorithm"
                )
            if any(path == each or path.startswith(f"{each}.") for each in FIXED):
                raise StudyError(f"{where}: {task}: sets {path}, which belongs to the task")
    return method


def _paths(settings: Mapping[str, Any], before: str = "") -> list[str]:
    """The dotted paths that settings set, those within mappings included."""
    found: list[str] = []
    for key, value in settings.items():
        path = f"{before}{key}"
        if isinstance(value, Mapping) and path in ("consensus", "consensus.budget"):
            found += [path] if not value else _paths(value, f"{path}.")
        else:
            found.append(path)
    return found


def builtin(suite: Suite) -> dict[str, Method]:
    """The methods that come with the testbed, the suite's reference first."""
    name, reference = suite.reference
    others = mapping(suite.folder.parent / "methods.yaml", MethodSettings)
    given = {name: reference, **others}
    return {each: checked(Method(each, settings), suite) for each, settings in given.items()}


def chosen(suite: Suite, names: Sequence[str], own: Sequence[Method]) -> list[Method]:
    """The methods of a table: those that are named, or all built-in ones; then a user's own.

    Raises:
        StudyError: a name is unknown, or two methods share one; one line.
    """
    known = builtin(suite)
    for name in names:
        if name not in known:
            raise StudyError(
                f"--method {name}: no such method{did_you_mean(name, known)} (built in: {', '.join(known)};"
                " or module:attribute, or file.py:attribute)"
            )
    listed = [method for name, method in known.items() if not names or name in names]
    for method in own:
        if method.name in known or any(method.name == other.name for other in own if other is not method):
            raise StudyError(f"--method: two methods are named {method.name!r}; names must differ")
        listed.append(checked(method, suite))
    return listed
