"""Keys of a study file that only say how its results are shown: ``reach`` and ``figures``.

They belong to no trial, so changing them changes no trial's name and runs nothing again. As the columns they
name depend on what the study varies, :func:`check` looks at them once the grid is known.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from studies.columns import better, is_measured, main_columns, measured
from studies.spec.document import Document, Keys, Problem, StudyError, one_line
from studies.spec.synonyms import did_you_mean
from studies.spec.validation_errors import problem, problems
from testbed.common.settings import Settings

SEED = "seed"

Thresholds = tuple[float, ...]


class Reach(Settings):
    """Thresholds of a column of the curves. A list is short for `{thresholds: [...]}`."""

    thresholds: Thresholds = ()
    """Thresholds in the direction in which the column improves, such as at most 0.01 for `error`."""
    at_most: Thresholds = ()
    """Thresholds that are reached once the column is no larger."""
    at_least: Thresholds = ()
    """Thresholds that are reached once the column is no smaller."""

    @model_validator(mode="after")
    def _some(self) -> Self:
        every = [(name, value) for name in type(self).model_fields for value in getattr(self, name)]
        if not every:
            raise ValueError("must have at least one threshold, such as [0.1, 0.01] or {at_most: [0.1]}")
        if len(set(every)) < len(every):
            raise ValueError("has the same threshold twice")
        return self


def _spelt_out(value: Any) -> Any:
    """``0.1`` and ``[0.1, 0.01]`` are short for ``{thresholds: [...]}``."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"thresholds": [value]}
    if isinstance(value, list | tuple):
        return {"thresholds": value}
    if not isinstance(value, dict | Reach):
        raise ValueError("must be a threshold, a list of them, {at_most: [...]} or {at_least: [...]}")
    return value


def _file_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", value):
        raise ValueError("must be a file name of letters, digits, _ and -, such as error-by-bytes")
    return value


Format = Literal["png", "svg", "pdf"]


def _several(value: Any) -> Any:
    """``pdf`` is short for ``[pdf]``."""
    if isinstance(value, str):
        value = [value]
    if isinstance(value, list | tuple) and not value:
        raise ValueError("must name at least one of png, svg, pdf")
    if isinstance(value, list | tuple) and len(set(map(str, value))) < len(value):
        raise ValueError("names a format twice")
    return value


class FigureSettings(Settings):
    """One figure of a study, drawn with the others into `figures/`, at the size it has in a paper."""

    name: Annotated[str, AfterValidator(_file_name)]
    """Name of its files: letters, digits, `_` and `-`. It replaces the standard figure of the same name."""
    x: str
    """The x axis: a varied setting, or a column of the curves or of `summary.csv`."""
    y: str
    """The y axis: a column of the curves or of `summary.csv`; in a heat map a varied setting."""
    hue: str | None = None
    """The varied setting shown by colour, and by dashes or markers unless `style` has those; in a heat map
    the column that its colours show."""
    style: str | None = None
    """The varied setting shown by dashes and markers."""
    col: str | None = None
    """The varied setting with a panel per value."""
    kind: Literal["line", "points", "heatmap"] | None = None
    """Lines over the rows of the curves, points of final numbers, or a heat map of them; `null`: `line` if
    the curves have both `x` and `y`, otherwise `points`."""
    estimator: Literal["auto", "mean", "iqm", "none"] = "auto"
    """Summary over the seeds, with its interval; `auto`: the one that tables use for the column; `none`:
    every seed by itself. Settings that are shown by nothing are summarised with the seeds."""
    log: Literal["none", "x", "y", "xy"] | None = None
    """Logarithmic axes, where numbers that are not positive are left out; `null`: `y` for distances such as
    `error`. In a heat map `y` stands for its colours."""
    width: Literal["one_column", "two_columns"] = "one_column"
    """Width in a paper of two columns: 3.35 or 6.9 inches."""
    title: bool = False
    """Whether the study's question is above it."""
    format: Annotated[tuple[Format, ...], BeforeValidator(_several)] = ("png", "svg")
    """Formats of its files, one or a list."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.kind == "heatmap":
            if self.hue is None:
                raise ValueError("a heat map needs hue, the column that its colours show")
            if self.style is not None:
                raise ValueError("a heat map has no style")
            if self.estimator == "none":
                raise ValueError("a heat map has one number in each cell, so estimator cannot be none")
        return self


ReachSettings = dict[str, Annotated[Reach, BeforeValidator(_spelt_out)]]


@dataclass(frozen=True)
class Threshold:
    """A threshold of one column: at least, or at most, a value."""

    column: str
    value: float
    at_least: bool

    @property
    def bound(self) -> str:
        """``at least`` or ``at most``."""
        return "at least" if self.at_least else "at most"


def thresholds(reach: Mapping[str, Reach]) -> list[Threshold]:
    """The thresholds in the order in which they are written.

    Raises:
        ValueError: a column without a direction of improvement has thresholds without one.
    """
    found: list[Threshold] = []
    for column, reached in reach.items():
        if reached.thresholds and not better(column):
            raise ValueError("has no direction of improvement: write {at_most: [...]} or {at_least: [...]}")
        found += [Threshold(column, value, better(column) == "higher") for value in reached.thresholds]
        found += [Threshold(column, value, False) for value in reached.at_most]
        found += [Threshold(column, value, True) for value in reached.at_least]
    return list(dict.fromkeys(found))


_OPTION = re.compile(r"\s*([^<>=]+?)\s*(<=|>=|=)(.*)", re.DOTALL)


def parse_reach(text: str, place: str) -> list[Threshold]:
    """``error=0.1,0.01``, ``return>=-60`` or ``message_age<=1`` as thresholds.

    Raises:
        StudyError: it is not written so, or there is no such column; one line that begins with ``place``.
    """
    found = _OPTION.fullmatch(text)
    if found is None:
        raise StudyError(f"{place} {one_line(text)}: write it as error=0.1,0.01, error<=0.1 or return>=-60")
    column, sign, values = found.groups()
    key = {"=": "thresholds", "<=": "at_most", ">=": "at_least"}[sign]
    try:
        numbers = [float(value) for value in values.split(",")]
    except ValueError as error:
        raise StudyError(f"{place} {one_line(text)}: a threshold must be a number") from error
    reach = checked(_Shown, {"reach": {column: {key: numbers}}}, place).reach
    check(Document({}, source=place), reach, (), ())
    return thresholds(reach)


def check(
    document: Document,
    reach: Mapping[str, Reach],
    figures: Sequence[FigureSettings],
    varied: Sequence[str],
    workload: str | None = None,
) -> None:
    """Checks the columns that a study's ``reach`` and ``figures`` name.

    Args:
        document: the source, for messages.
        reach, figures: the settings.
        varied: what the study varies.
        workload: whose trials must be able to measure the columns; None: those of any workload, as in stored
            results, which may be of another version.

    Raises:
        StudyError: a column is unknown or of the wrong kind; one line per problem.
    """
    found: list[Problem] = []
    for column, reached in reach.items():
        keys: Keys = ("reach", column)
        if not is_measured(column):
            reason = f"no such column of the curves{did_you_mean(column, measured())}"
            found.append(problem(document, keys, reason))
            continue
        if not is_measured(column, workload):
            found.append(problem(document, keys, _of_others(column, str(workload))))
            continue
        try:
            thresholds({column: reached})
        except ValueError as error:
            found.append(problem(document, keys, str(error)))
    names: set[str] = set()
    for number, figure in enumerate(figures):
        if figure.name in names:
            keys = ("figures", number, "name")
            found.append(problem(document, keys, "another figure has this name", value=figure.name))
        names.add(figure.name)
        for key, reason in column_faults(figure, varied, workload).items():
            keys = ("figures", number, key)
            found.append(problem(document, keys, reason, value=getattr(figure, key)))
    if found:
        raise StudyError.of(found)


def column_faults(
    figure: FigureSettings, varied: Sequence[str], workload: str | None = None
) -> dict[str, str]:
    """Key of a figure -> the reason why its column is unknown or of the wrong kind."""
    settings = [*varied, SEED]
    heat = figure.kind == "heatmap"
    split = ["x", "y", "col"] if heat else ["hue", "style", "col"]
    faults: dict[str, str] = {}
    for key in ("x", "y", "hue", "style", "col"):
        name = getattr(figure, key)
        if name is None:
            continue
        if key in split:
            if name not in settings:
                near = did_you_mean(name, settings)
                faults[key] = f"must be what the study varies: {', '.join(settings)}{near}"
        elif key == "x" and name in settings:
            continue
        elif not is_measured(name):
            near = did_you_mean(name, [*measured(), *(settings if key == "x" else ())])
            also = ", a varied setting" if key == "x" else ""
            faults[key] = f"must be a column of numbers that trials measure{also}{near}"
        elif not is_measured(name, workload):
            faults[key] = _of_others(name, str(workload))
    return faults


def _of_others(column: str, workload: str) -> str:
    """The reason why a column cannot be one of this workload's."""
    owners = [other for other in ("problem", "update", "training") if is_measured(column, other)]
    return (
        f"is measured by workload {' and '.join(owners)}, not by {workload}, whose trials measure"
        f" {', '.join(main_columns(workload))} and others (docs/reference/columns.md)"
    )


class _Shown(Settings):
    reach: ReachSettings = Field(default_factory=dict)
    figures: tuple[FigureSettings, ...] = ()


def stored_reach(document: Mapping[str, Any], source: str) -> list[Threshold]:
    """The thresholds of a study that has been stored, perhaps by another version; ``source`` is for errors.

    Raises:
        StudyError: they are invalid; one line.
    """
    found = _stored(document, source, "reach")
    check(Document(dict(document), source=source), found.reach, (), ())
    return thresholds(found.reach)


def stored_figures(
    document: Mapping[str, Any], source: str, varied: Sequence[str]
) -> tuple[FigureSettings, ...]:
    """The figures of a study that has been stored; as :func:`stored_reach`."""
    found = _stored(document, source, "figures")
    check(Document(dict(document), source=source), {}, found.figures, varied)
    return found.figures


def _stored(document: Mapping[str, Any], source: str, key: str) -> _Shown:
    return checked(_Shown, {key: document[key]} if key in document else {}, source)


Model = typing.TypeVar("Model", bound=Settings)


def checked(model: type[Model], data: Mapping[str, Any], source: str) -> Model:
    """Settings that are in no study file. Raises StudyError, one line per problem."""
    try:
        return model.model_validate(dict(data))
    except ValidationError as error:
        raise StudyError.of(problems(error, model, Document(dict(data), source=source))) from error
