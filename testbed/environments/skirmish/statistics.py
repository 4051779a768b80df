"""Statistics of battles of a scripted policy, one per row, played to their end."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from testbed.environments.skirmish.battle import ENERGY_PER_TICK
from testbed.environments.skirmish.environment import TICKS_PER_STEP, Skirmish
from testbed.environments.skirmish.scripted import Scripted

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Battles:
    """Finished battles, `[episode]` unless noted otherwise; points are hp and shield.

    Attributes:
        won, timed_out: whether it was won, or was truncated.
        team_return: undiscounted, summed over agents.
        length: steps.
        dead_allies, dead_enemies: at the end.
        first_taken, first_dealt: the step, from 1, after which allies, enemies first had fewer points than at
            the start; nan for never.
        points_left: share of the points of allies and of enemies left at the end, `[side, episode]`.
        survivors: living units at the end by type, allies first: name with `ally ` or `enemy ` in front.
        energy_spent: by allied and by enemy healers, while they lived, `[side, episode]`.
        points: share of points after every step, `[step, side, episode]`; after the end, the share that was
        left. enemy_x: mean x of the living enemies after every step, nan without any, `[step, episode]`.
    """

    won: NDArray[np.bool_]
    timed_out: NDArray[np.bool_]
    team_return: Floats
    length: Floats
    dead_allies: Floats
    dead_enemies: Floats
    first_taken: Floats
    first_dealt: Floats
    points_left: Floats
    survivors: dict[str, Floats]
    energy_spent: Floats
    points: Floats
    enemy_x: Floats


def play(environment: Skirmish, policy: str, seed: int) -> Battles:
    """One battle in each row, from a fresh reset.

    Args:
        environment: the environment, which is reset with `seed`.
        policy: a name that `Scripted` knows; its randomness is another stream of `seed`.
    """
    env, roster, battle = environment, environment.roster, environment.battle
    agents, batch = env.agents, env.batch
    generator = np.random.default_rng([seed, 1])
    actor = Scripted(env, policy)
    sides = (slice(0, agents), slice(agents, roster.units))
    full = roster.hp + roster.shield
    kinds = [f"{'enemy' if roster.enemy[unit] else 'ally'} {name}" for unit, name in enumerate(roster.names)]
    regrown = float(ENERGY_PER_TICK) * TICKS_PER_STEP

    observations, info = env.reset(seed)
    running = np.ones(batch, dtype=np.bool_)
    sums = {name: np.zeros(batch) for name in ("return", *env.components)}
    length, timed_out = np.zeros(batch), np.zeros(batch, dtype=np.bool_)
    spent = np.zeros((2, batch))
    alive = np.zeros((roster.units, batch), dtype=np.bool_)
    points: list[Floats] = []
    enemy_x: list[Floats] = []
    share = np.ones((2, batch))
    while running.any():
        energy = battle.energy.copy()
        actions = actor.act(observations, info["action_masks"], generator)
        observations, rewards, terminations, truncations, info = env.step(actions)
        now = battle.alive[: roster.units]
        sums["return"] += np.where(running, rewards.sum(axis=1), 0.0)
        for name in env.components:
            sums[name] += np.where(running, info[name], 0)
        length += running
        used = np.where(now & roster.healer[:, None], energy + regrown - battle.energy, 0.0)
        left = battle.hp + battle.shield
        for number, side in enumerate(sides):
            spent[number] += np.where(running, used[side].sum(axis=0), 0.0)
            current = left[side].sum(axis=0, dtype=np.float64) / full[side].sum(dtype=np.float64)
            share[number] = np.where(running, current, share[number])
        alive = np.where(running, now, alive)
        points.append(share.copy())
        living = alive[agents:]
        total = np.where(living, battle.x[agents : roster.units], 0.0).sum(axis=0)
        here = np.full(batch, np.nan) if not enemy_x else enemy_x[-1]
        mean = np.divide(total, living.sum(axis=0), out=np.full(batch, np.nan), where=living.any(axis=0))
        enemy_x.append(np.where(running, mean, here))
        over = (terminations | truncations).all(axis=1)
        timed_out |= running & truncations.all(axis=1)
        running &= ~over
        if over.any() and running.any():
            observations, info = env.reset(where=over)
    curve = np.stack(points)
    hurt = curve < 1.0 - 1e-9
    first = np.where(hurt.any(axis=0), hurt.argmax(axis=0) + 1.0, np.nan)
    return Battles(
        won=sums["battle_won"] > 0,
        timed_out=timed_out,
        team_return=sums["return"],
        length=length,
        dead_allies=sums["dead_allies"],
        dead_enemies=sums["dead_enemies"],
        first_taken=first[0],
        first_dealt=first[1],
        points_left=curve[-1],
        survivors={
            kind: alive[[k == kind for k in kinds]].sum(axis=0).astype(np.float64)
            for kind in dict.fromkeys(kinds)
        },
        energy_spent=spent,
        points=curve,
        enemy_x=np.stack(enemy_x),
    )
