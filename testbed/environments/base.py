"""What the settings of every environment are, and how those who use one learn what it is like.

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
"""The policy that plays all available actions alike, which every environment has."""


class BaseEnvironmentSettings(Settings):
    """The settings of an environment.

    A subclass narrows `name` to a literal with a default, which is the environment's name in study files. It
    has `agents` and `episode_length`, integers: fields, or properties that follow from other fields. All else
    has a default that suits a game which is written in NumPy and takes milliseconds a step.
    """

    outside: ClassVar[bool] = False
    """Whether making it runs code, or starts a program, that is not installed with the testbed but named by
    these settings. Stored results of such an environment are replayed only for those who trust them."""

    sizes_known: ClassVar[bool] = True
    """Whether it can be made to look at its sizes, as for an estimate of a trial's memory. Not if that takes
    a game that has to be launched."""

    files: ClassVar[Mapping[str, Callable[[str], bool]]] = {}
    """Settings that name input files, each with whether a value is a path (and not a built-in name). Paths
    are relative to the study file, and trials are named by what is in the file."""

    policies: ClassVar[tuple[str, ...]] = (RANDOM,)
    """The policies without learning that can play it: `random`, and those that `scripted` knows. Empty:
    none."""

    percentages: ClassVar[bool] = False
    """Whether a policy's name may end in a percentage of random actions, as in `nearest10`."""

    best_of: ClassVar[tuple[str, ...]] = ()
    """Scripted policies of which the one with the highest mean return is a baseline."""

    baseline_episodes: ClassVar[int] = 100
    """Episodes of which the mean return of a baseline is the mean."""

    name: str

    if TYPE_CHECKING:  # at run time they may be fields, which a property here would hide

        @property
        def agents(self) -> int:
            """Number of agents, N."""

        @property
        def episode_length(self) -> int:
            """Steps until truncation."""

    @abstractmethod
    def make(self, batch: int) -> BatchedEnvironment:
        """The environment, `batch` episodes side by side."""

    def meaning(self) -> dict[str, Any]:
        """Plain data, equal for environments that are the same: files by their content. See
        `testbed.identity`."""
        found: dict[str, Any] = essence(self)
        return found

    def without_pictures(self) -> str | None:
        """Why `render` cannot draw it, with the name of what cannot be drawn; None: it can."""
        return None

    def for_baselines(self) -> Self:
        """The same game as policies without learning need it: with masks if it has any, in this process."""
        return self

    def opens(self) -> Hashable | None:
        """What outside of the testbed has to be there, equal where it is the same; None: nothing has."""
        return None

    def check_opens(self) -> None:
        """Look whether what `opens` names can be opened on this machine.

        Raises:
            ValueError: it cannot, one line.
            WorldError: the same.
        """
