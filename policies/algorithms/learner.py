"""Interface of learners: the methods that the training loop calls, and the network they may use."""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from policies.acting import mean_over_acting
from policies.algorithms.subproblem import PolicyProblem
from policies.batch import Batch
from policies.nn.categorical import CategoricalHead
from policies.nn.head import Head
from policies.nn.heads import HEADS
from policies.nn.precision import Device
from policies.settings import Settings

Stopwatch = Callable[[str], None]

Kind = Literal["none", "agree", "average", "centralise"]
"""Name of the method of ``Communication`` that an algorithm uses, or none."""


@dataclass(frozen=True)
class Spaces:
    """Sizes of an environment's spaces, as learners need them.

    Attributes:
        agents: N.
        observation_size: padded width d of the observations.
        actions: the entries A of the widest agent's action space: actions of Discrete, categories of all
            components of MultiDiscrete, numbers of Box.
        observation_sizes: each agent's own width; None where all have the padded one.
        action_space: the kind of all agents' action spaces, a key of ``HEADS``.
        categories: of each component of MultiDiscrete, for the widest agent; () for other kinds.
    """

    agents: int
    observation_size: int
    actions: int
    observation_sizes: tuple[int, ...] | None = None
    action_space: str = "Discrete"
    categories: tuple[int, ...] = ()

    def head(self, log_std_init: float) -> Head:
        """The head of a policy, with the initial log standard deviation where actions are real numbers."""
        return HEADS[self.action_space].of(self.categories or (self.actions,), log_std_init)

    @property
    def action_numbers(self) -> int:
        """Numbers of one agent's action, k."""
        return len(self.categories) or (self.actions if self.action_space == "Box" else 1)

    @property
    def action_bytes(self) -> int:
        """Bytes of one agent's action in a message: a real number is a float32, any other one byte."""
        return self.action_numbers * (4 if self.action_space == "Box" else 1)

    @property
    def widths(self) -> tuple[int, ...]:
        """Each agent's own width, [N]."""
        return self.observation_sizes or (self.observation_size,) * self.agents


class Communication(Protocol):
    """The network between the agents, as far as an algorithm needs it."""

    def agree(self, problems: Sequence[PolicyProblem]) -> Mapping[str, float]:
        """Let neighbours agree on one problem per agent; may call their ``solve`` in any order."""
        ...

    def average(self, vectors: Tensor) -> tuple[Tensor, Mapping[str, float]]:
        """Each agent's vector, [N, D], moved towards those that it received from its neighbours.

        Also the measurements: ``relative_disagreement`` after and before, and counts, seconds and bytes,
        which add up over averagings.
        """
        ...

    def centralise(self, to_centre: Sequence[int], from_centre: Sequence[int]) -> Mapping[str, float]:
        """Charge the bytes that each agent sends to a centre and receives from it, [N] each."""
        ...


class Learner(Protocol):
    """N agents that act and learn together."""

    def act(
        self, observations: np.ndarray, masks: np.ndarray | None, generator: np.random.Generator | None
    ) -> np.ndarray:
        """Actions for observations [B, N, d], masks [B, N, A]; the most probable ones without a generator.

        They are [B, N] integers of Discrete, [B, N, k] integers of MultiDiscrete, [B, N, k] float32 of Box.
        """
        ...

    def learn(
        self,
        batch: Batch,
        communication: Communication,
        generator: np.random.Generator,
        lap: Stopwatch | None = None,
    ) -> dict[str, float]:
        """One update from a batch; returns the measurements, under the names of the tables.

        ``lap(name)`` is called at the end of each phase, for timing.
        """
        ...

    def state_dict(self) -> dict[str, object]:
        """Everything needed to resume exactly."""
        ...

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Restore the state of ``state_dict``. ValueError if it belongs to other networks."""
        ...


@dataclass(frozen=True)
class Load:
    """The amount of data in an update, from which its memory is estimated.

    Attributes:
        samples: M joint samples of a batch.
        links: of the topology.
        partly_acting: whether agents may be unable to act at some samples.
        batch: bytes of the batch.
    """

    samples: int
    links: int
    partly_acting: bool
    batch: int


class LearnerSettings(Settings):
    """Base of the settings of all algorithms: to add an algorithm, write a module here with a subclass.

    A subclass narrows ``name`` to a literal with a default, which is the algorithm's name in study files.
    """

    communication: ClassVar[Kind]
    """Its use of the network."""
    action_spaces: ClassVar[tuple[str, ...]] = ("Discrete",)
    """The kinds of action spaces in which it learns, of those in ``policies.nn.heads``."""
    name: str
    device: Device = "cpu"

    @property
    def over_links(self) -> bool:
        """Whether agents send each other messages over links; else they send none, or all to a centre."""
        return self.communication in ("agree", "average")

    @abstractmethod
    def make(self, spaces: Spaces, generator: np.random.Generator) -> Learner:
        """The untrained agents, with networks drawn from ``generator``."""

    @abstractmethod
    def memory(self, spaces: Spaces, load: Load) -> int:
        """Peak bytes of an update, in addition to the batch; see ``testbed.workloads.memory``."""


@runtime_checkable
class OnlineLearner(Protocol):
    """A learner that does not wait for the whole batch."""

    def observe(self, step: Batch, communication: Communication) -> None:
        """Learn from one more step, [1, B, N], of the batch that ``learn`` will be given."""
        ...


@runtime_checkable
class MeasuredByAgent(Protocol):
    """A learner that also measures each agent by itself.

    Attributes:
        by_agent: measurements of the last ``learn``, [N] each, under the names of the tables; none before.
            The value is nan for an agent that has none, such as the entropy of one that could never act. A
            measurement that the algorithm does not have is left out.
    """

    by_agent: Mapping[str, np.ndarray]


def experience_bytes(spaces: Spaces, batch: Batch) -> list[int]:
    """Bytes of each agent's private part of a batch, [N], which it must send to a centre that learns.

    For each step the observation and the reward as float32, the action in ``Spaces.action_bytes``, and one
    bit for each entry that may be available; the state after the last step of an episode is one more
    observation.
    """
    masks = 0 if batch.masks is None else -(-spaces.actions // 8)
    ends = int(batch.boundaries.all(-1).sum())
    return [
        batch.samples * (4 * width + 4 + spaces.action_bytes + masks) + ends * 4 * width
        for width in spaces.widths
    ]


def check_finite(state: Mapping[str, object], measured: Mapping[str, float], agents: int) -> None:
    """Refuse the result of an update if it is not finite: the learner would never recover.

    Args:
        state: the learner's state, tensors of which lead with one row for each of G policies or critics.
        measured: the result of ``learn``. Nan is valid where no agent has a value, infinity never.
        agents: N; where G is not N, policies or critics do not belong to single agents.

    Raises:
        FloatingPointError: one line that names the agent, and the part of its state.
    """
    for name, part in state.items():
        for numbers in _numbers(part):
            if np.isfinite(numbers).all():
                continue
            row = int(np.argwhere(~np.isfinite(numbers))[0, 0]) if numbers.ndim else 0
            whose = f"agent {row}: its" if numbers.ndim and len(numbers) == agents else "the common"
            raise FloatingPointError(f"{whose} {PARTS.get(name, name)} has numbers that are not finite")
    for name in FINITE:
        value = measured.get(name, 0.0)
        if math.isinf(value) or (math.isnan(value) and name in ALWAYS_KNOWN):
            raise FloatingPointError(f"{name} became {value}")


def _numbers(part: object) -> Iterator[np.ndarray]:
    """The floating-point numbers in nested plain data."""
    if isinstance(part, Tensor):
        part = part.detach().cpu().numpy()
    if isinstance(part, Mapping):
        part = tuple(part.values())
    if isinstance(part, list | tuple):
        for each in part:
            yield from _numbers(each)
    elif isinstance(part, float | np.floating | np.ndarray):
        array = np.asarray(part)
        if array.dtype.kind == "f":
            yield array


PARTS = {
    "theta": "policy",
    "critics": "critic",
    "omega": "critic",
    "mu": "average reward",
    "policies": "policy",
    "values": "critic",
    "critic_optimiser": "critic's optimiser",
    "actor_optimiser": "policy's optimiser",
}
"""The parts of learners' states, by name."""

ALWAYS_KNOWN = ("kl_played", "surrogate_gain", "td_error", "average_reward", "value_gradient_norm")
FINITE = (*ALWAYS_KNOWN, "kl", "kl_max", "entropy", "value_loss", "policy_loss", "policy_gradient_norm")


def movement(
    old: Tensor, new: Tensor, acting: Tensor | None = None, head: Head | None = None
) -> dict[str, float]:
    """Movement of agents that act by their own policies, under the names of the tables.

    As :func:`movement_by_agent`, but only of the team.
    """
    return movement_by_agent(old, new, acting, head)[0]


def movement_by_agent(
    old: Tensor, new: Tensor, acting: Tensor | None = None, head: Head | None = None
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Movement of agents that act by their own policies: of the team, and of each agent, [N] each.

    ``old`` and ``new`` are the rows [N, M, R] of their heads on a batch, of the kind ``head`` (None:
    categorical, log probabilities [N, M, A]); the entropy is that of the new ones.
    Each agent's numbers are means over the samples at which it was ``acting`` [N, M], by default all; means
    over agents exclude those that never were. Their entropy and ``kl`` are nan, their ``kl_played`` 0.

    Raises:
        FloatingPointError: an agent's KL is not finite.
    """
    head = head or CategoricalHead(old.shape[-1])
    divergences = mean_over_acting(head.kl(old, new), acting)
    entropies = mean_over_acting(head.entropy(new), acting)
    for q, divergence in enumerate(divergences.tolist()):
        if not math.isfinite(divergence):
            raise FloatingPointError(f"agent {q}: the KL divergence of its policy step is {divergence}")
    by_agent = {
        "kl": only_acting(divergences, acting),
        "kl_played": divergences.double().cpu().numpy(),
        "entropy": only_acting(entropies, acting),
    }
    if acting is not None:
        divergences, entropies = divergences[acting.any(-1)], entropies[acting.any(-1)]
    team = {
        "kl": float(divergences.mean()),
        "kl_max": float(divergences.max()) if len(divergences) else math.nan,
        "kl_played": float(divergences.sum()),
        "entropy": float(head.entropy(new).mean() if acting is None else entropies.mean()),
    }
    return team, by_agent


def only_acting(values: Tensor, acting: Tensor | None) -> np.ndarray:
    """Values [N] as float64, nan for agents that are nowhere ``acting`` [N, M]; None: all act everywhere."""
    found: np.ndarray = values.double().cpu().numpy()
    return found if acting is None else np.where(acting.any(-1).cpu().numpy(), found, np.nan)
