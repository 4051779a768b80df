"""Numbers with the opposite sign."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from testbed.network.faults.behaviour import Behaviour, FalseMessage


class SignFlipBehaviour(Behaviour):
    """Every number has the opposite sign (the attack of Li, Xu, Chen, Giannakis & Ling 2019, "RSA")."""

    name: Literal["sign_flip"]

    def falsify(self, numbers: NDArray[np.float64], message: FalseMessage) -> NDArray[np.float64]:
        return -numbers
