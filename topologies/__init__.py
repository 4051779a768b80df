"""Graphs between agents and their spectra (NetworkX)."""

from topologies import spectrum
from topologies.errors import TopologyError
from topologies.families import make
from topologies.files import read
from topologies.names import has_names, node_names
from topologies.registry import FAMILIES, Family, family

__all__ = [
    "FAMILIES",
    "Family",
    "TopologyError",
    "family",
    "has_names",
    "make",
    "node_names",
    "read",
    "spectrum",
]
