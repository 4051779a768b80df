"""Episodes of a study's environment, played by its learnt models or by a policy that never learns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

import topologies
from policies.algorithms.learner import Learner
from studies.playback import update_packets, video
from studies.playback.film_frame import WIDTH, FilmFrames, world_width
from studies.playback.moment import Moment
from studies.playback.update_packets import UpdatePackets
from studies.spec.document import StudyError
from studies.spec.study import TrialSpec
from studies.spec.synonyms import did_you_mean
from studies.storage.store import Store
from testbed import workloads
from testbed.common import checkpoints
from testbed.common.atomic_files import atomic_write
from testbed.common.errors import WorldError
from testbed.environments import ENVIRONMENTS, BaseEnvironmentSettings, BatchedEnvironment
from testbed.environments.drawing import agent_colours
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
        packets: the network of the models, if they came from updates over one.
        labels: names of the agents from the file of their graph; None if it has none.
    """

    workload: workloads.LearningWorkload
    policy: str
    models: Path | None = None
    greedy: bool = False
    packets: UpdatePackets | None = None
    labels: tuple[str, ...] | None = None


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
        return Player(settings, policy, labels=_labels(trial))
    models = checkpoint or store.models(trial)
    if models is None:
        trained = isinstance(settings, workloads.TrainingWorkload)
        train = "train it with `testbed run`, " if trained else "an update study keeps none; "
        raise StudyError(
            f"no models of this trial are under {store.folder}: {train}name a file with --checkpoint,"
            f" or choose --policy {' or '.join(environment.policies)}"
        )
    packets = update_packets.of_models(trial, store, models)
    return Player(settings, LEARNT, models, greedy, packets, _labels(trial))


def _labels(trial: TrialSpec) -> tuple[str, ...] | None:
    return tuple(topologies.given_names(trial.graph()).values()) or None


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
        allowed += ", the last ones also with a percentage of random actions, such as nearest10"
    others = [name for name, kind in ENVIRONMENTS.members().items() if policy in kind.policies]
    if others and not percentages:
        raise StudyError(f"--policy {policy}: is for {' and '.join(others)}; {allowed}")
    raise StudyError(f"--policy {policy}: {allowed}{did_you_mean(base, (LEARNT, *scripts))}")


def play(player: Player, *, seed: int, episodes: int) -> Iterator[Moment]:
    """Plays ``episodes`` episodes in sequence, and yields the start and every step of each.

    The same player and seed give the same moments.

    Raises:
        StudyError: the models do not fit, or the environment failed; one line.
    """
    with _environment(player) as environment:
        yield from _moments(environment, chooser(player, environment), seed, episodes)


@contextmanager
def _environment(player: Player) -> Iterator[BatchedEnvironment]:
    """The environment of one episode; StudyError, one line, if it fails."""
    described = player.workload.environment
    if player.policy != LEARNT:
        described = described.for_baselines()
    try:
        with described.make(1) as environment:
            yield environment
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
    width: int = WIDTH,
    panel: bool = True,
) -> None:
    """Plays as ``play`` does, into a film (see ``video.write``); ``report`` hears how each episode ended.

    Args:
        player: who plays.
        file: the film, a ``.gif`` or ``.mp4``.
        report: called with a line for each episode.
        seed, episodes: as for ``play``.
        frames_per_second: 1 to ``video.FASTEST``.
        width: pixels of its width, with a panel.
        panel: whether each agent's rewards and the network are shown; otherwise a film is the world in its
            usual size over a line of text.

    Raises:
        StudyError: of ``play`` and ``video.write``; then no film is left.
    """

    def drawn() -> Iterator[Image]:
        with _environment(player) as environment:
            draw = _panelled(player, environment, width) if panel else _captioned
            for moment in _moments(environment, chooser(player, environment), seed, episodes):
                if moment.over:
                    report(moment.outcome)
                yield draw(moment)

    video.write(file, drawn(), frames_per_second=frames_per_second)


def check_replay(player: Player, file: Path) -> None:
    """Raises StudyError unless the environment's own replay can be written into a file of this name."""
    ending = player.workload.environment.replay_ending
    if file.suffix != ending:
        name = player.workload.environment.name
        raise StudyError(f"--out {file}: must end in {ending}, because {name} records its own replays")
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
    with _environment(player) as environment:
        choose = chooser(player, environment)
        for moment in _moments(environment, choose, seed, episodes, pictures=False):
            if moment.over:
                report(moment.outcome)
        replay = environment.replay()
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(file) as part:
        part.write_bytes(replay)


def _captioned(moment: Moment) -> Image:
    return video.captioned(moment.picture, moment.caption)


def _panelled(player: Player, environment: BatchedEnvironment, width: int) -> Callable[[Moment], Image]:
    """Draws moments with a panel; the environment is asked for pictures as large as they are shown.

    Their ratio, and so their place, is known from the first one, which is drawn twice.
    """
    colours = environment.agent_colours or agent_colours(environment.agents)
    frames = FilmFrames(width, player.labels or environment.agent_names, colours, player.packets)
    known = False

    def draw(moment: Moment) -> Image:
        nonlocal known
        if not known:
            height, across = moment.picture.shape[:2]
            environment.picture_side, known = world_width(width, across / height), True
            moment = replace(moment, picture=environment.render())
        return frames.draw(moment)

    return draw


def _moments(
    environment: BatchedEnvironment, choose: Choose, seed: int, episodes: int, *, pictures: bool = True
) -> Iterator[Moment]:
    draw = environment.render if pictures else _nothing
    streams = Streams(seed)
    generator = streams.generator("actions")
    first: int | None = int(streams.fresh("environment").integers(2**31))
    for episode in range(1, episodes + 1):
        observations, info = environment.reset(first)
        first = None
        step, total, over = 0, 0.0, False
        sums = dict.fromkeys(environment.components, 0.0)
        rewards = returns = np.zeros(environment.agents)
        yield Moment(draw(), episode, step, rewards, returns, total, sums, over)
        while not over:
            actions = choose(observations, info.get("action_masks"), generator)
            observations, paid, terminations, truncations, info = environment.step(actions)
            step, total = step + 1, total + float(paid.sum())
            rewards, returns = paid[0], returns + paid[0]
            sums = {name: value + float(info[name][0]) for name, value in sums.items()}
            over = bool((terminations | truncations).all())
            yield Moment(draw(), episode, step, rewards, returns, total, sums, over)


def _nothing() -> NDArray[np.uint8]:
    return np.zeros((0, 0, 3), np.uint8)


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
        raise StudyError(f"checkpoint: {file} has networks that differ from this trial's: {error}") from error
    return learner
