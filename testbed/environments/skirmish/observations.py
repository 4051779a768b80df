"""Available actions, observations and the state vector of centralised training, in SMAC's layout."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.environments.skirmish.battle import MAX_ENERGY, Battle
from testbed.environments.skirmish.units import Roster

Array = NDArray[np.float32]

SIGHT = 9.0
TARGETS_WITHIN = 6.0  # range of every unit's target actions, regardless of its weapon
FIRST_TARGET = 6  # actions 0 to 5: no-op, stop, north, south, east, west
LOOK_AHEAD = 1.0  # a move is available when the cell that far away can be walked


def _cell_in(place: Array, low: int, high: int, *, ahead: float = 0.0) -> NDArray[np.bool_]:
    """Whether the cell of `place + ahead` is at least `low` and below `high`.

    Cells are those of SMAC, which cuts off decimals by `int`: between -1 and 0 lies cell 0, too. So west is
    available at any x above 0.
    """
    above = place > -1 - ahead if low == 0 else place >= low - ahead
    inside: NDArray[np.bool_] = above & (place < high - ahead)
    return inside


class Layout:
    """Sizes of one roster's vectors.

    Attributes:
        actions: number of actions, the same for every agent.
        observation_size, state_size: lengths of the vectors.
        enemy_width, ally_width: entries for one enemy, one other ally, in an observation.
        enemies_end, others_end: where these blocks end; moves come before them, the agent itself after.
    """

    def __init__(self, roster: Roster) -> None:
        bits = roster.codes.shape[1]
        ally_shield, enemy_shield = map(int, roster.shields_of)
        self.enemy_width = 5 + enemy_shield + bits
        self.ally_width = 5 + ally_shield + bits
        self.actions = FIRST_TARGET + roster.targets
        self.enemies_end = 4 + roster.enemies * self.enemy_width
        self.others_end = self.enemies_end + (roster.allies - 1) * self.ally_width
        self.observation_size = self.others_end + 1 + ally_shield + bits
        self.state_size = (
            roster.allies * (4 + ally_shield + bits)
            + roster.enemies * (3 + enemy_shield + bits)
            + roster.allies * self.actions
        )


class Sight:
    """The arrays for one battle; call `look` first, and the rest describes that moment."""

    def __init__(self, battle: Battle, layout: Layout) -> None:
        self.battle, self.roster, self.layout = battle, battle.roster, layout
        roster = self.roster
        agents = np.arange(roster.allies)
        self._others = np.array([np.delete(agents, a) for a in agents], dtype=np.intp)  # [agent, other]
        self._healers = np.flatnonzero(roster.healer[: roster.allies])
        # Healers aim at allies that are not healers themselves.
        self._mendable = roster.can_hit[: roster.allies, : roster.allies] & ~roster.healer[: roster.allies]
        self._full_shield = np.maximum(roster.shield, 1)[:, None]

    def look(self) -> None:
        """Read the current places and health."""
        battle, allies, units = self.battle, self.roster.allies, self.roster.units
        x, y, alive = battle.x[:units], battle.y[:units], battle.alive[:units]
        self._dx = x[None] - x[:allies, None]  # [agent, unit, batch]
        self._dy = y[None] - y[:allies, None]
        self._square = self._dx * self._dx
        self._square += self._dy * self._dy
        self._both = alive[:allies, None] & alive[None]
        self._hp = battle.hp / self.roster.hp[:, None]
        self._shield = battle.shield / self._full_shield
        self._allowed = self._actions()

    def _actions(self) -> NDArray[np.bool_]:
        """Available actions `[agent, action, batch]`."""
        battle, roster, allies = self.battle, self.roster, self.roster.allies
        x, y, alive = battle.x[:allies], battle.y[:allies], battle.alive[:allies]
        columns, rows = (0, roster.map.width), roster.map.corridor
        allowed = np.zeros((allies, self.layout.actions, battle.batch), dtype=np.bool_)
        allowed[:, 0] = ~alive
        allowed[:, 1] = alive
        inside_x, inside_y = _cell_in(x, *columns) & alive, _cell_in(y, *rows) & alive
        allowed[:, 2] = _cell_in(y, *rows, ahead=LOOK_AHEAD) & inside_x
        allowed[:, 3] = _cell_in(y, *rows, ahead=-LOOK_AHEAD) & inside_x
        allowed[:, 4] = _cell_in(x, *columns, ahead=LOOK_AHEAD) & inside_y
        allowed[:, 5] = _cell_in(x, *columns, ahead=-LOOK_AHEAD) & inside_y
        within = self._square <= TARGETS_WITHIN**2
        within &= self._both
        allowed[:, FIRST_TARGET : FIRST_TARGET + roster.enemies] = within[:, allies:]
        for healer in self._healers:
            allowed[healer, FIRST_TARGET:] = False
            targets = within[healer, :allies] & self._mendable[healer][:, None]
            allowed[healer, FIRST_TARGET : FIRST_TARGET + allies] = targets
        return allowed

    def masks(self) -> NDArray[np.bool_]:
        """Available actions `[batch, agent, action]`, fresh."""
        return np.ascontiguousarray(self._allowed.transpose(2, 0, 1))

    def observations(self) -> Array:
        """`[batch, agent, observation_size]`, fresh."""
        roster, layout, batch = self.roster, self.layout, self.battle.batch
        allies, enemies = roster.allies, roster.enemies
        seen = np.zeros((allies, layout.observation_size, batch), dtype=np.float32)
        seen[:, :4] = self._allowed[:, 2:6]
        visible = self._square < SIGHT**2
        visible &= self._both
        sight = visible * np.float32(1 / SIGHT)
        distance = np.sqrt(self._square)
        distance *= sight
        dx, dy = self._dx * sight, self._dy * sight
        hp = self._hp * visible

        shown = (distance, dx, dy, hp, visible)
        block = seen[:, 4 : layout.enemies_end].reshape(allies, enemies, layout.enemy_width, batch)
        self._describe(block, [values[:, allies:] for values in shown], slice(allies, None), enemy=True)
        first = self._allowed[:, FIRST_TARGET : FIRST_TARGET + enemies]
        np.logical_and(first, visible[:, allies:], out=block[:, :, 0], casting="unsafe")
        block = seen[:, layout.enemies_end : layout.others_end]
        block = block.reshape(allies, allies - 1, layout.ally_width, batch)
        agents = np.arange(allies)[:, None]
        self._describe(block, [values[agents, self._others] for values in shown], self._others, enemy=False)
        block[:, :, 0] = visible[agents, self._others]

        own, alive = seen[:, layout.others_end :], self.battle.alive[:allies]
        own[:, 0] = self._hp[:allies]
        if roster.shields_of[0]:
            own[:, 1] = self._shield[:allies]
        own[:, 1 + roster.shields_of[0] :] = roster.codes[:allies, :, None] & alive[:, None]
        return np.ascontiguousarray(seen.transpose(2, 0, 1))

    def _describe(
        self, block: Array, shown: Sequence[NDArray[Any]], units: slice | NDArray[np.intp], *, enemy: bool
    ) -> None:
        """Fill all but the first entry of `[agent, unit, entry, batch]` about units; `shown` is theirs."""
        distance, dx, dy, hp, visible = shown
        block[:, :, 1], block[:, :, 2], block[:, :, 3], block[:, :, 4] = distance, dx, dy, hp
        shield = self.roster.shields_of[enemy]
        if shield:
            np.multiply(self._shield[units], visible, out=block[:, :, 5])
        codes = self.roster.codes[units]
        for code in range(codes.shape[-1]):
            np.logical_and(
                visible, codes[..., code, None], out=block[:, :, 5 + shield + code], casting="unsafe"
            )

    def state(self, last_actions: NDArray[np.integer]) -> Array:
        """`[batch, state_size]`: allies, enemies, then one-hot `last_actions` `[agent, batch]` (-1: none)."""
        battle, roster, allies, units = self.battle, self.roster, self.roster.allies, self.roster.units
        alive = battle.alive[:units]
        busy = np.where(
            roster.healer[:, None],
            battle.energy / MAX_ENERGY,
            battle.cooldown / roster.cooldown_scale[:, None],
        )
        x = (battle.x[:units] - roster.map.width / 2) / roster.map.width
        y = (battle.y[:units] - roster.map.height / 2) / roster.map.height
        parts = []
        for side, shields in (
            (slice(0, allies), roster.shields_of[0]),
            (slice(allies, units), roster.shields_of[1]),
        ):
            columns = [self._hp[side], x[side], y[side]]
            if side.start == 0:
                columns.insert(1, busy[side])
            if shields:
                columns.append(self._shield[side])
            shape = (battle.batch, roster.codes.shape[1])
            table = np.stack(columns, axis=-1)  # [unit, batch, feature]
            codes = np.broadcast_to(roster.codes[side, None], (len(table), *shape))
            table = np.concatenate([table, codes], axis=-1) * alive[side][..., None]
            parts.append(table.transpose(1, 0, 2).reshape(battle.batch, -1))
        hot = last_actions.T[..., None] == np.arange(self.layout.actions)
        parts.append(hot.reshape(battle.batch, -1))
        return np.concatenate(parts, axis=1).astype(np.float32)
