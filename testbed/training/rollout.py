"""Collection of experience: one batched environment, continued from update to update."""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from policies.batch import Batch
from testbed.environments import BatchedEnvironment


class Actor(Protocol):
    """Anything that chooses joint actions."""

    def act(
        self, observations: np.ndarray, masks: np.ndarray | None, generator: np.random.Generator | None
    ) -> np.ndarray:
        """Actions [B, N] for observations [B, N, d]; the most probable ones without a generator."""
        ...


class Collector:
    """Plays an environment and records the returns of its episodes.

    A return is the sum over agents of undiscounted reward over one whole episode; a return component is the
    sum over the episode of one of the environment's ``components``.

    Attributes:
        returns_by_agent: [N], those of the last ``collect``: means over the episodes that ended, which add up
            to the return; nan when none did.
    """

    def __init__(self, environment: BatchedEnvironment, seed: int) -> None:
        self.environment = environment
        self.versions: dict[str, list[str]] = {}
        """Versions of the programs outside the testbed that have played, in order: more than one where a run
        was resumed with others."""
        self.seed: int | None = seed
        """The seed of the first episodes while they have not begun."""
        if environment.saves_state:
            self.begin()
        names = ("return", *(f"return_{name}" for name in environment.components))
        self.running = {name: np.zeros(environment.batch) for name in names}
        self.running_by_agent = np.zeros((environment.batch, environment.agents))
        self.returns_by_agent = np.full(environment.agents, np.nan)
        self.resumptions = 0
        """Times that resuming had to start new episodes, because the old ones' state was not saved."""

    def begin(self) -> None:
        """Begin the first episodes, unless they have begun.

        If a state cannot be saved, they begin only when they are played: a run that resumes would begin
        them, and end as many games, for nothing.
        """
        if self.seed is not None:
            self._see(self.environment.reset(self.seed))

    def _see(self, started: tuple[np.ndarray, Mapping[str, np.ndarray]]) -> None:
        self.seed = None
        self.observations, info = started
        self.masks, self.active = info.get("action_masks"), info.get("active")
        for name, version in self.environment.versions().items():
            known = self.versions.setdefault(name, [])
            if version not in known[-1:]:
                known.append(version)

    def played_by(self) -> dict[str, str]:
        """``versions`` with commas between those of one program."""
        return {name: ", ".join(known) for name, known in self.versions.items()}

    def collect(
        self,
        actor: Actor,
        steps: int,
        generator: np.random.Generator | None,
        observe: Callable[[Batch], None] | None = None,
    ) -> tuple[Batch, dict[str, float]]:
        """Play ``steps`` steps of every episode; returns the batch and means over the episodes that ended.

        Means are nan when no episode ended. ``episodes`` counts them. An environment that cannot save its
        state also has ``resumptions``: unless it is 0, this is not one uninterrupted run.
        ``observe(step)`` gets each step as a batch [1, B, N] of its own, before the next action is chosen.
        """
        self.begin()
        rows: list[tuple[np.ndarray, ...]] = []
        masks: list[np.ndarray | None] = []
        active: list[np.ndarray] = []
        ended: dict[str, list[np.ndarray]] = {name: [] for name in self.running}
        ended_by_agent: list[np.ndarray] = []
        for _ in range(steps):
            masks.append(self.masks)
            if self.active is not None:
                active.append(self.active)
            row, over, sums, earned = self._step(actor, generator)
            rows.append(row)
            if observe is not None:
                observe(self._batch(rows[-1:], masks[-1:], active[-1:]))
            if over.any():
                for name, values in sums.items():
                    ended[name].append(values[over])
                ended_by_agent.append(earned[over])
        batch = self._batch(rows, masks, active)
        finished = {name: np.concatenate(sums) if sums else np.empty(0) for name, sums in ended.items()}
        means = {name: float(sums.mean()) if len(sums) else math.nan for name, sums in finished.items()}
        whole = np.concatenate(ended_by_agent) if ended_by_agent else np.full((1, batch.agents), np.nan)
        self.returns_by_agent = whole.mean(axis=0)
        counts = {"episodes": float(len(finished["return"]))}
        if not self.environment.saves_state:
            counts["resumptions"] = float(self.resumptions)
        return batch, {**means, **counts}

    def finish(
        self, actor: Actor, generator: np.random.Generator | None, episodes: int | None = None
    ) -> dict[str, float]:
        """Play until the present episode of every row is over; returns the means over these episodes.

        With a fresh collector these are whole episodes, one per row, so that short ones count no more than
        long ones. A row that finishes before others begins its next episode, which does not count here;
        ``collect`` and ``finish`` continue it.

        Args:
            actor, generator: as for ``collect``.
            episodes: number of episodes, where it is not that of rows. They are divided among the rows before
                any is played, so that again short ones count no more than long ones.
        """
        self.begin()
        rows = self.environment.batch
        episodes = rows if episodes is None else episodes
        shares = np.full(rows, episodes // rows) + (np.arange(rows) < episodes % rows)
        played = np.zeros(rows, dtype=int)
        finished = {name: np.zeros((int(shares.max()), rows)) for name in self.running}
        while (playing := played < shares).any():
            _, over, sums, _ = self._step(actor, generator)
            ended = np.flatnonzero(playing & over)
            for name, values in sums.items():
                finished[name][played[ended], ended] = values[ended]
            played[ended] += 1
        counted = np.arange(int(shares.max()))[:, None] < shares
        return {name: float(values[counted].mean()) for name, values in finished.items()}

    def _step(
        self, actor: Actor, generator: np.random.Generator | None
    ) -> tuple[tuple[np.ndarray, ...], np.ndarray, dict[str, np.ndarray], np.ndarray]:
        """One step of every row, and a new episode in those rows that it ended.

        Returns the columns of a batch, which rows `[B]` ended, and the sums over their episodes so far: by
        name, `[B]` each, and the rewards of each agent, `[B, N]`.
        """
        actions = actor.act(self.observations, self.masks, generator)
        following, rewards, terminations, truncations, info = self.environment.step(actions)
        over: np.ndarray = np.all(terminations | truncations, axis=1)
        # An agent's boundary is its own end: later steps, while others still play, do not concern it.
        boundaries = terminations | truncations
        row = (self.observations, following, actions, rewards, terminations, boundaries)
        sums = {"return": self.running["return"] + rewards.sum(axis=1)}
        for name in self.environment.components:
            sums[f"return_{name}"] = self.running[f"return_{name}"] + info[name]
        earned = self.running_by_agent + rewards
        self.running = {name: np.where(over, 0.0, values) for name, values in sums.items()}
        self.running_by_agent = np.where(over[:, None], 0.0, earned)
        if over.any():
            following, info = self.environment.reset(where=over)
        self.observations = following
        self.masks, self.active = info.get("action_masks"), info.get("active")
        return row, over, sums, earned

    def _batch(
        self,
        rows: Sequence[tuple[np.ndarray, ...]],
        masks: Sequence[np.ndarray | None],
        active: Sequence[np.ndarray],
    ) -> Batch:
        """Steps as one batch; without masks or active agents where the environment does not give them.

        Where masks begin later, all entries are available before.
        """
        batch = Batch(*(np.stack(column) for column in zip(*rows, strict=True)))
        every = self.environment.action_spaces.every
        shape = (self.environment.batch, *every.shape)
        whole = [np.broadcast_to(every, shape) if given is None else given for given in masks]
        return replace(
            batch,
            masks=None if all(given is None for given in masks) else np.stack(whole),
            active=np.stack(active) if active else None,
        )

    def state_dict(self) -> dict[str, Any]:
        """The environment, its generator, and the running sums, as arrays and JSON-able values.

        For an environment that cannot save its state, only its generator is kept.
        """
        self.begin()
        return {
            "environment": self.environment.state if self.environment.saves_state else {},
            "rng": self.environment.rng_state,
            "running": {name: sums.copy() for name, sums in self.running.items()},
            "running_by_agent": self.running_by_agent.copy(),
            "resumptions": self.resumptions,
            "versions": {name: list(known) for name, known in self.versions.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore exactly the state that ``state_dict`` gave.

        An environment that cannot save its state starts new episodes instead, reported by a warning and by
        ``resumptions``: the run continues, but not as it would have without the interruption.
        """
        self.environment.rng_state = state["rng"]
        if not self.environment.saves_state:
            warnings.warn(
                f"{self.environment.name}: its state cannot be saved, so resuming starts new episodes: "
                "this run is not the one that was interrupted",
                RuntimeWarning,
                stacklevel=2,
            )
            self.resumptions = state["resumptions"] + 1
            self.versions = {name: list(known) for name, known in state.get("versions", {}).items()}
            before = {name: known[-1] for name, known in self.versions.items()}
            self._see(self.environment.reset())
            others = [
                f"{name} {version} instead of {before[name]}"
                for name, version in self.environment.versions().items()
                if before.get(name, version) != version
            ]
            if others:
                text = f"{self.environment.name}: the run is resumed with {', '.join(others)}"
                warnings.warn(text, RuntimeWarning, stacklevel=2)
            self.running = {name: np.zeros(self.environment.batch) for name in self.running}
            self.running_by_agent = np.zeros_like(self.running_by_agent)
            return
        self.environment.state = state["environment"]
        self.seed = None
        # Earlier versions did not keep some components: their sums in episodes under way are not known.
        without = np.full(self.environment.batch, np.nan)
        self.running = {name: np.array(state["running"].get(name, without)) for name in self.running}
        # Earlier versions did not keep them: what agents earned in episodes under way is not known.
        unknown = np.full_like(self.running_by_agent, np.nan)
        self.running_by_agent = np.array(state.get("running_by_agent", unknown))
        self.observations = self.environment.observations()
        self.masks = self.environment.masks().get("action_masks")
        self.active = self.environment.active().get("active")
