"""The conditions of a study, and how the page distinguishes them: by colour, dashes or panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studies.columns import column_title, format_levels
from studies.spec.manifest import StudyRecord, Varied


@dataclass(frozen=True)
class Condition:
    """A condition: trials that differ only in their seed.

    Attributes:
        varied: varied setting -> value.
        label: the words that distinguish it from all other conditions.
        name: the words that distinguish it from the other conditions of its panel.
        short: as ``name``, but only the values, for use next to the titles of colours and dashes.
        trials: indices of its trials in the study, from 0.
        panel, hue, style: indices of its panel, colour and dashes, from 0.
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
        seen: varied settings with more than one value.
        panels: titles of the panels; a single one, without a title, if all conditions share it.
        hue, style: titles of the settings shown by colour and by dashes; empty if there are none.
        hues, styles: their values, in words.
        numeric: whether the colours are a numerical scale.
        of: hash of a trial -> index of its condition.
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
    """Assigns colours and dashes to the first two varied factors, panels to environments and the rest."""
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
    """The distinct values: numbers ascending, others in the order of the study."""
    found = list(dict.fromkeys(values))
    return sorted(found) if all(_number(value) for value in found) else found


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _worded(name: str, value: object, words: Mapping[Any, str]) -> str:
    """A value in words: ``MATRPO``, or with its title if the value alone is unclear: ``link delay 0.1``."""
    if isinstance(value, str) and value != "none":
        return words[value]
    return f"{column_title(name)} {words[value]}"
