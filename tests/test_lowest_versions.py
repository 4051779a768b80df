"""The lowest versions that pyproject.toml allows are those that `make lowest` installs and tries."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version
from simpy.core import Environment

ROOT = Path(__file__).parent.parent
REQUIRED = [
    Requirement(text)
    for text in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
]


def test_every_floor_is_the_version_that_is_tried() -> None:
    lines = (ROOT / "tests" / "lowest.txt").read_text().splitlines()
    tried = dict(line.split("==") for line in lines if not line.startswith("#"))
    floors = {}
    for required in REQUIRED:
        (floor,) = (part.version for part in required.specifier if part.operator == ">=")
        floors[required.name] = Version(floor)
    assert floors == {name: Version(version) for name, version in tried.items()}


def test_simpy_has_a_ceiling_and_the_private_names_that_the_clock_uses() -> None:
    """`testbed.network.clock` puts events into SimPy's queue itself: try a new minor version first."""
    (simpy,) = (required for required in REQUIRED if required.name == "simpy")
    assert "<" in {part.operator for part in simpy.specifier}
    environment = Environment(3.0)
    event = environment.event()
    event.succeed()
    ((time, priority, number, queued),) = environment._queue
    assert (time, priority, queued) == (3.0, 1, event)
    assert next(environment._eid) > number
