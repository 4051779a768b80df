"""Skirmish: team battles with the interface of the StarCraft Multi-Agent Challenge.

`environments.make("skirmish", map="MMM2", batch=500)`. A custom map is a YAML file whose path is given as
`map`; its fields are those of `maps.Map`, and those of a unit in `maps.UnitType`:

    episode_limit: 100
    allies: [{unit: marine, count: 4}, {unit: medivac, count: 1}]
    enemies: [{unit: marauder, count: 3}]
    agent_order: [marine, medivac]
    ally_codes: [marine, medivac, marauder]
    enemy_codes: [marine, medivac, marauder]
    units:  # in addition to the built-in ones, or replacing one
      marine: {hp: 55, radius: 0.375, speed: 3.15, range: 5, cooldown: 0.61, damage: 6, hits: [ground, air]}
"""

from testbed.environments.skirmish.environment import Skirmish, SkirmishSettings

__all__ = ["Skirmish", "SkirmishSettings"]
