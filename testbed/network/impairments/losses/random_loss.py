"""Independent or correlated loss (netem: `loss random`)."""

from testbed.network.impairments.loss import LossModel
from testbed.network.impairments.rule import LOSS, Chance, Drop, Rule
from testbed.network.streams import GeneratorFor


class RandomLoss(Chance, LossModel):
    """Each packet is lost with the same probability."""

    def rule(self, stream: GeneratorFor) -> Rule | None:
        return Drop(self, LOSS, stream) if self.random > 0 else None
