"""The base of the settings of every environment, with the traits that its users need to know.

To add an environment, write a module in `testbed.environments` (or another package, which names it in its
entry points: see `testbed.common.registry`) with a `BatchedEnvironment` and a subclass of
`BaseEnvironmentSettings`.
"""

from abc import abstractmethod
from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from testbed.common.settings import Settings
from testbed.environments.batched import BatchedEnvironment
from testbed.identity import essence

RANDOM = "random"
"""The policy that plays uniformly among available actions, which every environment has."""


class BaseEnvironmentSettings(Settings):
    """The settings of an environment.

    A subclass narrows `name` to a literal with a default, which is the environment's name in study files. It
    has `agents` and `episode_length`, integers: fields, or properties that follow from other fields.
    Everything else has a default that suits a game written in NumPy that takes milliseconds per step.
    """

    outside: ClassVar[bool] = False
    """Whether making it runs code, or starts a program, that is not installed with the testbed but named by
    these settings. Stored results of such an environment are replayed only if the user trusts them."""

    sizes_known: ClassVar[bool] = True
    """Whether it can be made just to find its sizes, for example to estimate a trial's memory. False if that
    requires launching a game."""

    files: ClassVar[Mapping[str, Callable[[str], bool]]] = {}
    """Settings that name input files, each with whether a value is a path (and not a built-in name). Paths
    are relative to the study file, and trials are named by the content of the file."""

    policies: ClassVar[tuple[str, ...]] = (RANDOM,)
    """The policies without learning that can play it: `random`, and those that `scripted` knows. Empty:
    none."""

    percentages: ClassVar[bool] = False
    """Whether a policy's name may end in a percentage of random actions, such as `nearest10`."""

    best_of: ClassVar[tuple[str, ...]] = ()
    """Scripted policies of which the one with the highest mean return is a baseline."""

    baseline_episodes: ClassVar[int] = 100
    """Number of episodes over which the return of a baseline is averaged; 0: there are no baselines."""

    client: ClassVar[str | None] = None
    """The program of which every parallel episode starts one process, by its name; None if it starts none."""

    replay_ending: ClassVar[str | None] = None
    """How the names of its own files of recorded episodes end, which `replay` of the environment gives; None
    if it records none."""

    name: str

    if TYPE_CHECKING:  # at run time they may be fields, which a property here would hide

        @property
        def agents(self) -> int:
            """Number of agents, N."""

        @property
        def episode_length(self) -> int:
            """Steps until truncation."""

    @property
    def action_space(self) -> str:
        """The kind of all agents' action spaces: Discrete, MultiDiscrete or Box."""
        return "Discrete"

    @property
    def most_parallel(self) -> int | None:
        """Most parallel episodes, in learning and again in an evaluation; None: no limit."""
        return None

    @abstractmethod
    def make(self, batch: int) -> BatchedEnvironment:
        """The environment, with `batch` parallel episodes."""

    def meaning(self) -> dict[str, Any]:
        """Plain data, equal for environments that are the same: files by their content. See
        `testbed.identity`."""
        found: dict[str, Any] = essence(self)
        return found

    def without_pictures(self) -> str | None:
        """The reason why `render` cannot draw it, with its name; None if it can."""
        return None

    def for_baselines(self) -> Self:
        """The same game as policies without learning need it: with masks if any, in this process."""
        return self

    def opens(self) -> Hashable | None:
        """Key of the external program or file it needs, equal for equal needs; None if there is none."""
        return None

    def check_opens(self) -> None:
        """Check whether the resource named by `opens` can be opened on this machine.

        Raises:
            ValueError: it cannot, one line.
            WorldError: the same.
        """
