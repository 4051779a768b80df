"""A map's units as arrays: allies in the order of the agents, then enemies."""

import numpy as np

from testbed.environments.skirmish.maps import Map, UnitType

TICKS_PER_SECOND = 16
SHOT_SCAN = 5.0  # enemies look this far for a target, plus the target's radius


class Roster:
    """Numbers and tables of the `units` units of a map; the first `allies` of them are the agents.

    Attributes:
        names, types: of each unit.
        hp, shield, armour, radius, speed, cooldown, cooldown_scale: float32 `[unit]`; cooldowns in ticks.
        healer, air: bool `[unit]`.
        start: spawn places, float32 `[unit, axis]`.
        can_hit: bool `[unit, unit]`, whether the first can shoot at (a healer: heal) the second.
        reach_squared: float32 `[unit, place]`: the squared distance up to which a unit acts on another unit,
            and -1 where it cannot; places behind the units are bare points.
        damage: float32 `[unit, unit]`, points of one hit before shield and armour.
        attacks: hits per shot `[unit]`.
        codes: bool `[unit, code]`, one-hot types; no columns for maps without codes.
        max_reward: a team's reward for killing every enemy once, before scaling.
    """

    def __init__(self, battlefield: Map) -> None:
        self.map = battlefield
        placed = battlefield.agents()
        self.allies = len(placed)
        placed += battlefield.spawn(enemy=True)
        self.units = len(placed)
        self.enemies = self.units - self.allies
        self.names = [name for name, _ in placed]
        self.types: list[UnitType] = [battlefield.units[name] for name in self.names]
        self.start = np.array([place for _, place in placed], dtype=np.float32)

        def numbers(field: str, factor: float = 1.0) -> np.ndarray:
            return np.array([getattr(kind, field) * factor for kind in self.types], dtype=np.float32)

        self.hp, self.shield, self.armour = numbers("hp"), numbers("shield"), numbers("armour")
        self.radius, self.speed = numbers("radius"), numbers("speed")
        self.cooldown = numbers("cooldown", TICKS_PER_SECOND)
        self.cooldown_scale = numbers("cooldown_scale")
        self.healer = np.array([kind.healer for kind in self.types])
        self.air = np.array([kind.plane == "air" for kind in self.types])
        self.enemy = np.arange(self.units) >= self.allies
        self.attacks = np.array([kind.attacks for kind in self.types])
        self.has_shields = bool(self.shield.any())
        self.shields_of = (bool(self.shield[~self.enemy].any()), bool(self.shield[self.enemy].any()))

        same_side = self.enemy[:, None] == self.enemy[None, :]
        plane = np.array([[other.plane in kind.hits for other in self.types] for kind in self.types])
        self.can_hit = plane & (same_side == self.healer[:, None])
        np.fill_diagonal(self.can_hit, False)
        reach = numbers("range")[:, None] + self.radius[:, None] + self.radius[None, :]
        places = self.units + 1 + self.allies
        self.reach_squared = np.full((self.units, places), -1.0, dtype=np.float32)
        self.reach_squared[:, : self.units] = np.where(self.can_hit, reach * reach, -1.0)
        self.damage = np.array(
            [
                [kind.damage + sum(kind.bonus.get(a, 0.0) for a in other.attributes) for other in self.types]
                for kind in self.types
            ],
            dtype=np.float32,
        )
        self.scan_squared = (SHOT_SCAN + self.radius) ** 2
        self.widest_scan_squared = np.float32((SHOT_SCAN + self.radius.max()) ** 2)

        bits = len(battlefield.ally_codes)
        self.codes = np.zeros((self.units, bits), dtype=np.bool_)
        if bits:
            for unit, name in enumerate(self.names):
                order = battlefield.enemy_codes if self.enemy[unit] else battlefield.ally_codes
                self.codes[unit, order.index(name)] = True
        enemy_points = float((self.hp + self.shield)[self.enemy].sum())
        self.max_reward = 10.0 * self.enemies + 200.0 + enemy_points

    @property
    def targets(self) -> int:
        """Number of target actions: enemies, or allies where a healer has more of those as targets."""
        healers = self.healer[: self.allies].any()
        return max(self.enemies, self.allies) if healers else self.enemies
