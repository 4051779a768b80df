"""The conditions of a study, and how they are told apart: by colour, dashes, or a panel of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studies.columns import column_title, format_levels
from studies.spec.manifest import StudyRecord, Varied


@dataclass(frozen=True)
class Condition:
    """Trials that differ in nothing but their seed.

    Attributes:
        varied: what is varied -> its value.
        label: what tells it from all others, in words.
        name: what tells it from the others of its panel.
        short: the same in values alone, beside the titles of colours and dashes.
        trials: their places in the study, from 0.
        panel, hue, style: which panel, colour and dashes are its own, from 0.
    """

    varied: Varied
    label: str
    name: str
    short: str
    trials: tuple[int, ...]
    panel: int
    hue: int
    style: int


@dataclass(frozen=True)
class Arrangement:
    """All conditions of a study, finished or not, so that colours stay what they are while it goes on.

    Attributes:
        conditions: in the order of the study.
        seen: what is varied and has more than one value.
        panels: what each panel is about; one without a name if all conditions share it.
        hue, style: titles of what is told by colour and by dashes; empty: nothing is.
        hues, styles: their values, in words.
        numeric: whether the colours are a scale of numbers.
        of: hash of a trial -> place of its condition.
    """

    conditions: tuple[Condition, ...]
    seen: tuple[str, ...]
    panels: tuple[str, ...]
    hue: str
    style: str
    hues: tuple[str, ...]
    styles: tuple[str, ...]
    numeric: bool
    of: Mapping[str, int]

    def as_data(self) -> dict[str, Any]:
        """Plain data for the page."""
        return {
            "panels": self.panels,
            "hue": {"title": self.hue, "levels": self.hues, "numeric": self.numeric},
            "style": {"title": self.style, "levels": self.styles},
            "conditions": [
                {
                    "label": condition.label or "all trials",
                    "name": condition.name,
                    "short": condition.short,
                    "panel": condition.panel,
                    "hue": condition.hue,
                    "style": condition.style,
                    "trials": condition.trials,
                }
                for condition in self.conditions
            ],
        }


def arrange(study: StudyRecord) -> Arrangement:
    """Gives the first two varied factors colours and dashes; the rest, and all environments, are panels."""
    values = {name: [trial.varied[name] for trial in study.trials] for name in study.varied}
    seen = [name for name in study.varied if len(set(values[name])) > 1]
    apart = set(study.environment_factors) if study.workload == "training" else set()
    hue, style, *rest = [*(name for name in seen if name not in apart), None, None]
    split = [name for name in seen if name in apart or name in rest]
    levels = {name: _levels(values[name]) for name in seen}
    words = {
        name: dict(zip(found, format_levels(name, found), strict=True)) for name, found in levels.items()
    }
    trials: dict[tuple[Any, ...], list[int]] = {}
    of: dict[str, int] = {}
    for index, trial in enumerate(study.trials):
        key = tuple(trial.varied[name] for name in study.varied)
        trials.setdefault(key, []).append(index)
        of[trial.hash] = list(trials).index(key)
    panels: dict[str, int] = {}
    conditions = []
    for key, members in trials.items():
        varied = dict(zip(study.varied, key, strict=True))
        panel = ", ".join(_worded(name, varied[name], words[name]) for name in split)
        own = [name for name in seen if name not in split]
        conditions.append(
            Condition(
                varied,
                ", ".join(_worded(name, varied[name], words[name]) for name in seen),
                ", ".join(_worded(name, varied[name], words[name]) for name in own) or "all trials",
                ", ".join(words[name][varied[name]] for name in own) or "all trials",
                tuple(members),
                panels.setdefault(panel, len(panels)),
                levels[hue].index(varied[hue]) if hue else 0,
                levels[style].index(varied[style]) if style else 0,
            )
        )
    return Arrangement(
        tuple(conditions),
        tuple(seen),
        tuple(panels),
        column_title(hue) if hue else "",
        column_title(style) if style else "",
        tuple(words[hue].values()) if hue else (),
        tuple(words[style].values()) if style else (),
        bool(hue) and all(_number(value) for value in levels[str(hue)]),
        of,
    )


def _levels(values: Sequence[Any]) -> list[Any]:
    """The different values: numbers ascending, all else in the order of the study."""
    found = list(dict.fromkeys(values))
    return sorted(found) if all(_number(value) for value in found) else found


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _worded(name: str, value: object, words: Mapping[Any, str]) -> str:
    """``MATRPO``; or with what it is, where the value alone would say nothing: ``link delay 0.1``."""
    if isinstance(value, str) and value != "none":
        return words[value]
    return f"{column_title(name)} {words[value]}"
