"""Maps and unit types: data files, checked on loading.

A map is one YAML file. The built-in ones are in the folder `data/maps`; any other is named by its path.
"""

import functools
import math
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from testbed.common import yaml_text
from testbed.common.settings import Settings
from testbed.common.suggestions import did_you_mean
from testbed.common.validation_messages import first_error

DATA = resources.files(__package__) / "data"
SPAWN_GAP = 0.05  # between units on the spawn grid

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Point = tuple[float, float]
Attribute = Literal["light", "armoured", "biological", "mechanical"]
Plane = Literal["ground", "air"]


class UnitType(Settings):
    """One kind of unit; distances in cells, times in seconds of 16 ticks.

    Attributes:
        hp, shield, armour: of a fresh unit; armour is subtracted from every hit that reaches hp.
        radius, speed: of its disc; speed per second.
        plane: units collide only with units of their plane.
        attributes: attributes that bonuses of damage refer to.
        range: of the weapon, or of healing, from edge to edge.
        cooldown: between shots; a shot happens at the first tick when none is left.
        cooldown_scale: ticks; divides the remaining ticks in the state vector.
        damage, attacks, bonus: points of one hit, hits in a shot, extra points by attribute of the target.
        hits: the planes that it can shoot at (a healer: heal).
        healer: it heals its own side and never shoots.
    """

    hp: Positive
    shield: NonNegative = 0.0
    armour: NonNegative = 0.0
    radius: Positive
    speed: Positive
    plane: Plane = "ground"
    attributes: frozenset[Attribute] = frozenset()
    range: NonNegative
    cooldown: NonNegative = 0.0
    cooldown_scale: Positive = 1.0
    damage: NonNegative = 0.0
    attacks: Annotated[int, Field(ge=1)] = 1
    bonus: Mapping[Attribute, NonNegative] = Field(default_factory=dict)
    hits: frozenset[Plane]
    healer: bool = False


class Group(Settings):
    """`count` units of a type."""

    unit: str
    count: Annotated[int, Field(ge=1)]


class Map(Settings):
    """A battlefield: an open corridor, two groups of units, and how agents and types are numbered.

    Attributes:
        episode_limit: steps until a battle is truncated.
        allies, enemies: groups in the order in which the spawn grid is filled.
        agent_order: types of allies; agents are numbered by type in this order, then by spawn x, then y.
        ally_codes, enemy_codes: types in the order of their one-hot codes; both empty for maps with a single
            type, which have no code.
        units: types of this map, in addition to the built-in ones.
        width, height: cells; corridor: lowest and highest y a ground unit can stand at.
        ally_point, enemy_point: middles of the spawn grids; the enemy marches to `ally_point`.
    """

    episode_limit: Annotated[int, Field(ge=1)]
    allies: Annotated[tuple[Group, ...], Field(min_length=1)]
    enemies: Annotated[tuple[Group, ...], Field(min_length=1)]
    agent_order: tuple[str, ...]
    ally_codes: tuple[str, ...] = ()
    enemy_codes: tuple[str, ...] = ()
    units: Mapping[str, UnitType] = Field(default_factory=dict)
    width: Annotated[int, Field(ge=4)] = 32
    height: Annotated[int, Field(ge=4)] = 32
    corridor: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1)]] = (8, 24)
    ally_point: Point = (9.0, 16.0)
    enemy_point: Point = (23.0, 16.0)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for side, groups in (("allies", self.allies), ("enemies", self.enemies)):
            for group in groups:
                if group.unit not in self.units:
                    known = sorted(self.units)
                    raise ValueError(
                        f"{side}: unknown unit {group.unit!r}, allowed: {', '.join(known)}"
                        f"{did_you_mean(group.unit, known)}"
                    )
            if all(self.units[group.unit].healer for group in groups):
                raise ValueError(f"{side}: got healers only, at least one unit must be able to fight")
        present = {group.unit for group in self.allies}
        _same_types("agent_order", self.agent_order, present)
        if self.ally_codes or self.enemy_codes:
            present |= {group.unit for group in self.enemies}
            _same_types("ally_codes", self.ally_codes, present)
            _same_types("enemy_codes", self.enemy_codes, present)
        low, high = self.corridor
        if not low < high <= self.height:
            raise ValueError(f"corridor: got [{low}, {high}], must be 0 <= low < high <= height")
        for name, (x, y) in (("ally_point", self.ally_point), ("enemy_point", self.enemy_point)):
            if not (0 <= x <= self.width and low <= y <= high):
                raise ValueError(f"{name}: got [{x}, {y}], must be a point inside the corridor")
        for side, enemy in (("allies", False), ("enemies", True)):
            for unit, (x, y) in self.spawn(enemy=enemy):
                if not (0 <= x <= self.width and low <= y <= high):
                    raise ValueError(
                        f"{side}: too many for the corridor, a {unit} would start at {x:g}, {y:g}"
                    )
        return self

    def spawn(self, *, enemy: bool) -> list[tuple[str, Point]]:
        """Unit types and places of one side, in the order of its groups.

        A square grid of ceil(sqrt(count)) columns around the side's point, filled row by row; a row is as
        high as its largest unit. The enemy's grid is built from the opposite corner.
        """
        names = [g.unit for g in (self.enemies if enemy else self.allies) for _ in range(g.count)]
        side = math.ceil(math.sqrt(len(names)))
        rows = [names[start : start + side] for start in range(0, len(names), side)]
        half_heights = [max(self.units[name].radius for name in row) for row in rows]
        # Empty rows of the square still take their gaps.
        height = 2 * sum(half_heights) + (side - 1) * SPAWN_GAP
        width = max(sum(2 * self.units[name].radius for name in row) for row in rows)
        sign, (x0, y0) = (-1, self.enemy_point) if enemy else (1, self.ally_point)
        placed, y = [], -height / 2
        for row, half_height in zip(rows, half_heights, strict=True):
            x = -width / 2
            for name in row:
                radius = self.units[name].radius
                placed.append((name, (x0 + sign * (x + radius), y0 + sign * (y + half_height))))
                x += 2 * radius + SPAWN_GAP
            y += 2 * half_height + SPAWN_GAP
        return placed

    def agents(self) -> list[tuple[str, Point]]:
        """Types and places of the allies in the order of the agents."""
        order = {name: number for number, name in enumerate(self.agent_order)}
        return sorted(self.spawn(enemy=False), key=lambda unit: (order[unit[0]], *unit[1]))


def _same_types(field: str, given: Sequence[str], wanted: set[str]) -> None:
    if sorted(given) != sorted(wanted):
        got = ", ".join(given) or "nothing"
        raise ValueError(f"{field}: got {got}, must be each of {', '.join(sorted(wanted))} once")


@functools.cache
def builtin_maps() -> tuple[str, ...]:
    """Names of the maps that come with the package."""
    files = (DATA / "maps").iterdir()
    return tuple(sorted(Path(file.name).stem for file in files if file.name.endswith(".yaml")))


def names_a_file(name: str) -> bool:
    """Whether a map's name is the path of a map file."""
    return "/" in name or name.endswith((".yaml", ".yml"))


def load_map(name: str) -> Map:
    """A built-in map by name, or a map file by its path (with `/` or ending in `.yaml` or `.yml`).

    Raises:
        ValueError: one line: no such map or file, invalid YAML, or content that is not allowed.
    """
    if name in builtin_maps():
        text = (DATA / "maps" / f"{name}.yaml").read_text(encoding="utf-8")
    elif names_a_file(name):
        if Path(name).exists() and not Path(name).is_file():  # a device or a pipe may never end
            raise ValueError(f"map file {name!r} is not a regular file")
        try:
            text = Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"map file {name!r} cannot be read: {error}") from error
    else:
        known = builtin_maps()
        allowed = f"{', '.join(known)}, or a path ending in .yaml"
        raise ValueError(f"unknown map {name!r}, allowed: {allowed}{did_you_mean(name, known)}")
    return _map(text, name)


@functools.lru_cache(maxsize=64)
def _map(text: str, name: str) -> Map:
    """The map that a text describes; each trial of a study asks for it several times."""
    content = _mapping(text, name)
    own = content.get("units", {})
    if isinstance(own, dict):
        builtin = (DATA / "units.yaml").read_text(encoding="utf-8")
        content = {**content, "units": {**_mapping(builtin, "units.yaml"), **own}}
    try:
        return Map.model_validate(content)
    except ValidationError as error:
        where, message, first = first_error(error)
        got = f"got {_short(repr(first['input']))}, " if where and first["type"] != "missing" else ""
        raise ValueError(f"map {name!r}: {f'{where}: ' if where else ''}{got}{message}") from error


def _mapping(text: str, source: str) -> dict[str, Any]:
    try:
        content = yaml_text.load(text)
    except yaml_text.YamlError as error:
        line = "" if error.line is None else f"line {error.line}: "
        raise ValueError(f"map {source!r}: {line}{_short(str(error), 200)}") from error
    if not isinstance(content, dict):
        raise ValueError(f"map {source!r}: got {type(content).__name__}, must be a mapping")
    return content


def _short(text: str, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."
