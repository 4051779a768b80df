"""Graphs between agents and their spectra (NetworkX)."""

from topologies import spectrum
from topologies.errors import TopologyError
from topologies.families import make
from topologies.files import read
from topologies.names import (
    given_names,
    has_names,
    link_title,
    named_link,
    named_node,
    names_by_node,
    node_names,
    node_title,
)
from topologies.registry import FAMILIES, Family, family

__all__ = [
    "FAMILIES",
    "Family",
    "TopologyError",
    "family",
    "given_names",
    "has_names",
    "link_title",
    "make",
    "named_link",
    "named_node",
    "names_by_node",
    "node_names",
    "node_title",
    "read",
    "spectrum",
]
