"""PettingZoo's AEC worlds as parallel ones, by PettingZoo's own conversions.

In an AEC world ("agent environment cycle") one agent acts after the other. Either all of them act before the
world changes, so that they may as well act at once (`aec_to_parallel`), or they take turns and each turn is a
step, in which the others wait (`turn_based_aec_to_parallel`).
"""

import warnings
from collections.abc import Mapping
from typing import Any

from pettingzoo.utils.conversions import (
    aec_to_parallel,
    turn_based_aec_to_parallel,
    turn_based_aec_to_parallel_wrapper,
)

from testbed.environments.external.episode import others_code

AT_ONCE = "is_parallelizable"
"""The entry of an AEC world's `metadata` that says whether its agents may act at once."""


def as_parallel(path: str, world: Any) -> Any:
    """The `ParallelEnv` that PettingZoo makes of the `AECEnv` at `path`.

    Raises:
        ValueError: one line, when the world does not say whether its agents may act at once, or cannot be
        converted.
    """
    with others_code(lambda raised: ValueError(f"{path}: its metadata cannot be read ({raised})")):
        metadata = getattr(world, "metadata", None)
        at_once = metadata.get(AT_ONCE) if isinstance(metadata, Mapping) else None
    if not isinstance(at_once, bool):
        found = "no" if at_once is None else f"{at_once!r} as"
        raise ValueError(
            f"{path} makes an AECEnv with {found} metadata[{AT_ONCE!r}], must be True (all agents act"
            " before the world changes) or False (they take turns)"
        )
    convert = aec_to_parallel if at_once else turn_based_aec_to_parallel
    with (
        warnings.catch_warnings(),
        others_code(lambda raised: ValueError(f"{path} cannot be made a ParallelEnv ({raised})")),
    ):
        # Such a world can be played; whether it has pictures is read from its metadata.
        warnings.filterwarnings("ignore", r"The base environment `[\s\S]*` does not have a `render_mode`")
        return convert(world)


def takes_turns(world: Any) -> bool:
    """Whether a parallel world is an AEC world in which one agent acts in each step."""
    return isinstance(world, turn_based_aec_to_parallel_wrapper)
