"""Episodes of a study's environment, played by its learnt models or by a policy that never learns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from policies.algorithms.learner import Learner
from studies.playback import video
from studies.spec.document import StudyError
from studies.spec.study import TrialSpec
from studies.spec.synonyms import did_you_mean
from studies.storage.store import Store
from testbed import workloads
from testbed.common import checkpoints
from testbed.common.atomic_files import atomic_write
from testbed.common.errors import WorldError
from testbed.environments import ENVIRONMENTS, BaseEnvironmentSettings, BatchedEnvironment
from testbed.network import Streams
from testbed.training import baselines
from testbed.training.learners import AlgorithmSettings
from testbed.training.trainer import spaces

LEARNT = "learnt"

Masks = NDArray[np.bool_] | None
Choose = Callable[[NDArray[np.float32], Masks, np.random.Generator], NDArray[np.integer]]
"""Actions [1, N] for observations [1, N, d] and masks [1, N, A]; random draws use the generator."""


@dataclass(frozen=True)
class Player:
    """A player, checked as far as that is possible before an environment is created.

    Attributes:
        workload: specifies the environment and, for learnt models, the algorithm.
        policy: ``learnt``, ``random``, or a scripted policy that the environment has.
        models: the file with the models of ``learnt``.
        greedy: whether they take their most probable actions instead of sampling.
    """

    workload: workloads.LearningWorkload
    policy: str
    models: Path | None = None
    greedy: bool = False


@dataclass(frozen=True)
class Moment:
    """One moment of an episode.

    Attributes:
        episode: counted from 1.
        step: steps played; 0 is the start.
        total: undiscounted reward so far, summed over agents.
        components: the environment's components of the return, summed so far.
        over: whether the episode has ended.
    """

    episode: int
    step: int
    total: float
    components: dict[str, float]
    over: bool

    @property
    def caption(self) -> str:
        """The moment in words."""
        return f"step {self.step}   return {self.total:.2f}"

    @property
    def outcome(self) -> str:
        """A summary of the episode at its end."""
        parts = "".join(f", {name} {value:g}" for name, value in self.components.items())
        return f"episode {self.episode}: {self.step} steps, return {self.total:.2f}{parts}"


@dataclass(frozen=True)
class Frame(Moment):
    """A moment with its picture.

    Attributes:
        picture: uint8 ``[height, width, 3]``.
    """

    picture: NDArray[np.uint8]


def choose_player(
    trial: TrialSpec,
    store: Store,
    *,
    policy: str | None = None,
    checkpoint: Path | None = None,
    greedy: bool = False,
) -> Player:
    """Determines the player: by default the trial's models, finished or not.

    Args:
        trial: the trial whose environment is played.
        store: the results store that may have the trial's models.
        policy: ``learnt``, or one of the environment's ``policies``: ``random``, and for skirmish those of
            :mod:`testbed.environments.skirmish.scripted`.
        checkpoint: models to use instead of the trial's own: those of any trial with the same networks.
        greedy: let learnt models take their most probable actions.

    Raises:
        StudyError: there is no such player, or the environment has neither pictures nor replays; one line.
    """
    settings = trial.settings
    if not isinstance(settings, workloads.LearningWorkload):
        raise StudyError(
            f"workload = {settings.workload!r}: has no environment to play; needs training or update"
        )
    environment = settings.environment
    if (reason := environment.without_pictures()) and environment.replay_ending is None:
        raise StudyError(f"environment {reason}")
    policy = policy or LEARNT
    if policy != LEARNT:
        _check_policy(policy, environment)
        if checkpoint is not None or greedy:
            option = "--greedy" if checkpoint is None else "--checkpoint"
            raise StudyError(f"{option}: is for --policy {LEARNT}, not {policy}")
        return Player(settings, policy)
    models = checkpoint or store.models(trial)
    if models is None:
        trained = isinstance(settings, workloads.TrainingWorkload)
        train = "train it with `testbed run`, " if trained else "an update study keeps none; "
        raise StudyError(
            f"no models of this trial are under {store.folder}: {train}name a file with --checkpoint,"
            f" or choose --policy {' or '.join(environment.policies)}"
        )
    return Player(settings, LEARNT, models, greedy)


def _check_policy(policy: str, environment: BaseEnvironmentSettings) -> None:
    scripts, percentages = environment.policies, environment.percentages
    if policy in scripts:
        return
    base = policy.rstrip("0123456789")
    percentage = policy[len(base) :]
    if base in scripts and percentages and len(percentage) <= 2:
        return
    allowed = f"{environment.name} has {', '.join((LEARNT, *scripts))}"
    if percentages:
        allowed += ", the last ones also with a percentage of random actions, as nearest10"
    others = [name for name, kind in ENVIRONMENTS.members().items() if policy in kind.policies]
    if others and not percentages:
        raise StudyError(f"--policy {policy}: is for {' and '.join(others)}; {allowed}")
    raise StudyError(f"--policy {policy}: {allowed}{did_you_mean(base, (LEARNT, *scripts))}")


def play(player: Player, *, seed: int, episodes: int) -> Iterator[Frame]:
    """Plays ``episodes`` episodes in sequence, and yields the start and every step of each.

    The same player and seed give the same frames.

    Raises:
        StudyError: the models do not fit, or the environment failed; one line.
    """
    described = player.workload.environment
    if player.policy != LEARNT:
        described = described.for_baselines()
    try:
        with described.make(1) as environment:
            for moment in _moments(environment, chooser(player, environment), seed, episodes):
                yield Frame(**vars(moment), picture=environment.render())
    except WorldError as error:
        raise StudyError(f"environment {described.name}: {error}") from error


def film(
    player: Player,
    file: Path,
    report: Callable[[str], None],
    *,
    seed: int,
    episodes: int,
    frames_per_second: int,
) -> None:
    """Plays as ``play`` does, into a film (see ``films.write``); ``report`` hears how each episode ended.

    Raises:
        StudyError: of ``play`` and ``films.write``; then no film is left.
    """

    def captioned() -> Iterator[Image]:
        for frame in play(player, seed=seed, episodes=episodes):
            if frame.over:
                report(frame.outcome)
            yield video.captioned(frame.picture, frame.caption)

    video.write(file, captioned(), frames_per_second=frames_per_second)


def check_replay(player: Player, file: Path) -> None:
    """Raises StudyError unless the environment's own replay can be written into a file of this name."""
    ending = player.workload.environment.replay_ending
    if file.suffix != ending:
        name = player.workload.environment.name
        raise StudyError(f"--out {file}: must end in {ending}, for {name} records replays of its own")
    video.check_place(file)


def record(player: Player, file: Path, report: Callable[[str], None], *, seed: int, episodes: int) -> None:
    """Plays as ``play`` does, and writes the environment's own replay of all episodes.

    Args:
        player: whose environment has a ``replay_ending``.
        file: the file, see ``check_replay``; an existing one is replaced.
        report: hears how each episode ended.
        seed, episodes: as for ``play``.

    Raises:
        StudyError: of ``play``; then nothing is written.
    """
    described = player.workload.environment
    if player.policy != LEARNT:
        described = described.for_baselines()
    try:
        with described.make(1) as environment:
            for moment in _moments(environment, chooser(player, environment), seed, episodes):
                if moment.over:
                    report(moment.outcome)
            replay = environment.replay()
    except WorldError as error:
        raise StudyError(f"environment {described.name}: {error}") from error
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(file) as part:
        part.write_bytes(replay)


def _moments(environment: BatchedEnvironment, choose: Choose, seed: int, episodes: int) -> Iterator[Moment]:
    streams = Streams(seed)
    generator = streams.generator("actions")
    first: int | None = int(streams.fresh("environment").integers(2**31))
    for episode in range(1, episodes + 1):
        observations, info = environment.reset(first)
        first = None
        step, total, over = 0, 0.0, False
        sums = dict.fromkeys(environment.components, 0.0)
        yield Moment(episode, step, total, sums, over)
        while not over:
            actions = choose(observations, info.get("action_masks"), generator)
            observations, rewards, terminations, truncations, info = environment.step(actions)
            step, total = step + 1, total + float(rewards.sum())
            sums = {name: value + float(info[name][0]) for name, value in sums.items()}
            over = bool((terminations | truncations).all())
            yield Moment(episode, step, total, sums, over)


def chooser(player: Player, environment: BatchedEnvironment) -> Choose:
    """The policy of a player in an environment of one episode. StudyError if the models do not fit."""
    if player.models is not None:
        learner = _learner(player.workload.algorithm, player.models, environment)
        return lambda observations, masks, generator: learner.act(
            observations, masks, None if player.greedy else generator
        )
    return baselines.player(environment, player.policy).act


def _learner(settings: AlgorithmSettings, file: Path, environment: BatchedEnvironment) -> Learner:
    learner = settings.model_copy(update={"device": "cpu"}).make(  # one episode is no work for another device
        spaces(environment),
        np.random.default_rng(0),  # all it draws is overwritten
    )
    try:
        state = checkpoints.load(file, None)
    except checkpoints.CheckpointError as error:
        raise StudyError(str(error)) from error
    if "learner" not in state:
        raise StudyError(f"checkpoint: {file} holds no models")
    try:
        learner.load_state_dict(state["learner"])
    except (ValueError, KeyError, RuntimeError) as error:  # torch's word for shapes that differ
        raise StudyError(f"checkpoint: {file} has other networks than this trial's: {error}") from error
    return learner
