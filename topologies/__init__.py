"""Graphs between agents and their spectra (NetworkX)."""

from topologies import spectrum
from topologies.errors import TopologyError
from topologies.families import FAMILIES, Family, make
from topologies.files import read

__all__ = ["FAMILIES", "Family", "TopologyError", "make", "read", "spectrum"]
