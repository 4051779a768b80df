"""The record of the defaults on which trial names are based: see :mod:`testbed.identity`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import testbed
import topologies
from studies.spec.study import WORKLOADS
from studies.spec.topology import TopologySettings
from testbed import identity
from testbed.environments.skirmish.maps import Map


def now() -> dict[str, Any]:
    """The record for the current code."""
    families = [family for family in topologies.FAMILIES.values() if family.builtin]
    parameters = {f"topology {family.name}": family.parameters for family in families}
    return identity.present([*WORKLOADS.values(), TopologySettings, Map], parameters)


def write() -> None:
    """Adds the defaults of new settings; if the format has been raised, rewrites the record.

    Raises:
        ValueError: a recorded default has changed and the format has not been raised.
    """
    text = json.dumps(identity.extended(now()), indent=1, sort_keys=True)
    Path(str(testbed.__path__[0]), identity.RECORD).write_text(text + "\n", encoding="utf-8")
