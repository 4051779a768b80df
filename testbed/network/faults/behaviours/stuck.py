"""Old numbers, again and again."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from testbed.network.faults.behaviour import Behaviour, FalseMessage


class StuckBehaviour(Behaviour):
    """Every message repeats the first one of its kind to this receiver in the agreement.

    The first message is true. Coordinates that no earlier message covered are true as well, and repeated from
    then on.
    """

    name: Literal["stuck"]

    def falsify(self, numbers: NDArray[np.float64], message: FalseMessage) -> NDArray[np.float64]:
        memory, where = message.memory, slice(None) if message.where is None else message.where
        if not memory:
            memory["numbers"] = np.zeros(message.dimension)
            memory["known"] = np.zeros(message.dimension, dtype=bool)
        known = memory["known"][where]
        memory["numbers"][where] = np.where(known, memory["numbers"][where], numbers)
        memory["known"][where] = True
        repeated: NDArray[np.float64] = memory["numbers"][where].copy()
        return repeated
