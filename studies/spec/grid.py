"""The grid of a study: every combination of the values under ``vary:``.

A key of ``vary`` is either a dotted path with a list of the values it takes, or a name with cases: label ->
settings that go together, each a dotted path with its value.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studies.columns import RESERVED, has_title
from studies.spec.document import Document, Keys, Problem, StudyError, shown, split
from studies.spec.labels import label
from studies.spec.synonyms import did_you_mean
from studies.spec.validation_errors import complaint


@dataclass(frozen=True)
class Level:
    """The settings that one value of a key of ``vary`` puts in place.

    Attributes:
        label: the value in tables and figures.
        settings: target -> source; both as keys of the document.
    """

    label: str | int | float | bool
    settings: Mapping[Keys, Keys]


def read(document: Document, top: Collection[str], header: Collection[str]) -> dict[str, list[Level]]:
    """The choices of each key of ``vary``, in the order of the document.

    Args:
        document: a study, perhaps with a mapping under ``vary``.
        top: top-level keys of a study, which cannot name cases.
        header: those of them that belong to the study as a whole, and so cannot be varied.

    Raises:
        StudyError: the grid is invalid, or everything that one key sets is hidden by a later one.
    """
    grid: dict[str, list[Level]] = {}
    problems: list[Problem] = []
    for name in document.data.get("vary", {}):
        try:
            grid[name] = _levels(document, ("vary", name), top)
            _check_paths(document, name, grid, header)
        except StudyError as error:
            if not error.problems:
                raise
            problems += error.problems
    if problems:
        raise StudyError.of(problems)
    return grid


def _levels(document: Document, source: Keys, top: Collection[str]) -> list[Level]:
    """The choices of one key of ``vary``."""
    name = str(source[-1])
    values = document.data["vary"][name]
    if isinstance(values, dict):
        _check_name(document, source, top)
        if not values:
            raise complaint(document, source, "has no cases; each is a label with settings: {A: {a.b: 1}}")
        return [_case(document, (*source, case)) for case in values]
    if isinstance(values, list):
        if not values:
            raise complaint(document, source, "must have at least 1 item", value=values)
        path = split(name, document.place(source))
        return [Level(label(value), {path: (*source, i)}) for i, value in enumerate(values)]
    reason = "must be a list of values, or a mapping of cases to their settings"
    raise complaint(document, source, reason, value=values)


def _check_paths(
    document: Document, name: str, grid: Mapping[str, Sequence[Level]], header: Collection[str]
) -> None:
    """Checks that the newest key sets only settings of a trial, and does not hide all of an earlier key."""
    listed = isinstance(document.data["vary"][name], list)
    for level in grid[name][:1] if listed else grid[name]:  # a list sets one path, whatever its length
        for path, keys in level.settings.items():
            where = ("vary", name) if listed else keys
            if path[0] in header:
                raise complaint(document, where, f"{path[0]} belongs to the whole study and cannot be varied")
            for other in list(grid)[:-1]:
                if all(earlier[: len(path)] == path for level in grid[other] for earlier in level.settings):
                    raise complaint(document, where, f"would hide what vary.{other} sets")


def _check_name(document: Document, source: Keys, top: Collection[str]) -> None:
    name = str(source[-1])
    if "." in name or name in top:
        kind = "has a dot" if "." in name else "is a setting"
        reason = f"a mapping lists cases and needs its own name, but {name!r} {kind}"
        raise complaint(document, source, f"{reason}; to vary a setting, write a list of its values")
    if name in RESERVED or has_title(name):
        raise complaint(document, source, f"{name!r} is a column of the results; choose another name")


def _case(document: Document, source: Keys) -> Level:
    _, name, case = source
    settings = document.data["vary"][name][case]
    if not isinstance(case, str):
        raise complaint(document, source, "the label of a case must be text; quote it")
    if not isinstance(settings, dict):
        reason = "a case must be a mapping of settings to values, such as {consensus.penalty: 2}"
        raise complaint(document, source, reason, value=settings)
    paths: dict[Keys, Keys] = {}
    for path in settings:
        keys = split(str(path), document.place((*source, path)))
        hidden = [where[-1] for earlier, where in paths.items() if earlier[: len(keys)] == keys]
        if hidden:
            raise complaint(document, (*source, path), f"would hide {hidden[0]}, which the case already sets")
        paths[keys] = (*source, path)
    return Level(case, paths)


def environment_factors(grid: Mapping[str, Sequence[Level]]) -> tuple[str, ...]:
    """The keys of ``vary`` that change the environment."""
    return tuple(name for name in grid if any(path[0] == "environment" for path in _paths(grid, name)))


def comparison_factor(grid: Mapping[str, Sequence[Level]]) -> str | None:
    """The key of ``vary`` whose values are to be compared, if any.

    The key that chooses an algorithm, or else the first one that does not change the environment.
    """
    free = [name for name in grid if len(grid[name]) > 1 and name not in environment_factors(grid)]
    algorithms = (("algorithm",), ("algorithm", "name"))
    methods = [name for name in free if any(path in algorithms for path in _paths(grid, name))]
    return next(iter([*methods, *free]), None)


def _paths(grid: Mapping[str, Sequence[Level]], name: str) -> set[Keys]:
    return {path for level in grid[name] for path in level.settings}


def cells(grid: Mapping[str, Sequence[Level]]) -> Iterator[dict[str, Level]]:
    """Key of ``vary`` -> its choice, for every combination; the last key varies fastest."""
    for levels in itertools.product(*grid.values()):
        yield dict(zip(grid, levels, strict=True))


class Filling:
    """Puts combinations of a grid in place, in a time that does not depend on the size of the grid.

    Args:
        document: the study.
        grid: the result of :func:`read`.
        header: the keys that belong to the study as a whole.
    """

    def __init__(
        self, document: Document, grid: Mapping[str, Sequence[Level]], header: Collection[str]
    ) -> None:
        self._data = document.data
        self._base = document.copy(leaving_out=header)
        sources = {
            source for levels in grid.values() for level in levels for source in level.settings.values()
        }
        self._places = document.sub_places(sources)

    def fill(self, cell: Mapping[str, Level]) -> Document:
        """The study with one combination put in place, in the order in which it is written.

        Raises:
            StudyError: a path leads through a value that has no keys.
        """
        filled = self._base.copy()
        for level in cell.values():
            for path, source in level.settings.items():
                value: Any = self._data
                for key in source:
                    value = value[key]
                filled.put(path, value, self._places[source])
        return filled


def hiding(vary: Any, path: Keys, place: str) -> tuple[Keys, str, str | None] | None:
    """The part of a grid, checked or not, that hides a setting in all trials, if there is one.

    All cases of a key must hide it; otherwise the setting applies to the remaining cases.

    Returns:
        Where the grid sets it, by which key of ``vary``, and in which case if that has cases.
    """
    for name, values in vary.items() if isinstance(vary, dict) else ():
        if not isinstance(values, dict):
            if path[: len(keys := split(name, place))] == keys:
                return keys, name, None
            continue
        found = []
        for case, settings in values.items():
            written = [split(str(each), place) for each in (settings if isinstance(settings, dict) else ())]
            found += [(keys, name, str(case)) for keys in written if path[: len(keys)] == keys][:1]
        if found and len(found) == len(values):
            return found[0]
    return None


def selected(name: str, cases: Mapping[str, Any], labels: Sequence[Any], place: str) -> dict[str, Any]:
    """The named cases in ``labels``, in the order of the document.

    Raises:
        StudyError: there is no such case, or no label.
    """
    known = ", ".join(map(str, cases))
    if not labels:
        raise StudyError(f"{place}: vary.{name} = []: must name at least one of the cases: {known}")
    for wanted in labels:
        if not isinstance(wanted, str) or wanted not in cases:
            near = did_you_mean(wanted, cases)
            raise StudyError(f"{place}: vary.{name}: {shown(wanted)} is not one of the cases: {known}{near}")
    return {case: settings for case, settings in cases.items() if case in labels}
