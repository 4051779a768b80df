"""External worlds behind the batched interface: PettingZoo's and the real StarCraft II."""

from testbed.environments.external.pettingzoo import PettingZooSettings
from testbed.environments.external.starcraft import StarCraftSettings

__all__ = ["PettingZooSettings", "StarCraftSettings"]
