"""The graph families by name: functions with ``@family``, here and in other packages.

To add one, write such a function in ``topologies.deterministic_graphs`` or, where it draws random numbers, in
``topologies.random_graphs``. Other packages name theirs in an entry point:

    [project.entry-points."consensus_testbed.families"]
    ladder = "my_package.graphs:ladder"
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from importlib import import_module, metadata
from typing import TypeVar

import networkx as nx

from topologies.errors import TopologyError

GROUP = "consensus_testbed.families"
"""Group of the entry points by which other packages add families."""

BUILTIN = ("topologies.deterministic_graphs", "topologies.random_graphs")
"""The modules with the built-in families."""


@dataclass(frozen=True)
class Family:
    """A named kind of graph.

    `parameters` maps each parameter the family allows to its default; None: chosen from the number of nodes.
    `random` families draw from a generator, `builtin` ones come with this package.
    """

    name: str
    summary: str
    random: bool
    parameters: Mapping[str, object]
    build: Callable[..., nx.Graph[int]] = field(repr=False)
    builtin: bool = True


class Families(MutableMapping[str, Family]):
    """All families by name: the built-in ones first, then those of other packages.

    Nothing is imported before the first access.

    Raises:
        TopologyError: an entry point cannot be loaded, is not a family, or two have the same name; one line.
    """

    def __init__(self) -> None:
        self._found: dict[str, Family] = {}
        self._loaded = False

    def add(self, new: Family) -> None:
        """Add a family, unless it is there already."""
        old = self._found.setdefault(new.name, new)
        if old is not new:
            places = " and ".join(f"{one.build.__module__}.{one.build.__qualname__}" for one in (old, new))
            raise TopologyError(f"families: two are named {new.name!r}: {places}")

    def _all(self) -> dict[str, Family]:
        if not self._loaded:
            for module in BUILTIN:
                import_module(module)
            for point in sorted(metadata.entry_points(group=GROUP), key=lambda each: each.name):
                self._load(point)
            # A module that a program has imported before has added its families first.
            places = {module: place for place, module in enumerate(BUILTIN)}
            ordered = sorted(
                self._found.items(), key=lambda each: places.get(each[1].build.__module__, len(BUILTIN))
            )
            self._found = dict(ordered)
            self._loaded = True
        return self._found

    def _load(self, point: metadata.EntryPoint) -> None:
        # The wording is the same as in testbed.common.registry, which this package may not import.
        where = f"entry point {point.name!r} of {point.group}"
        if point.dist is not None:
            where += f" ({point.dist.name} {point.dist.version})"
        try:
            loaded = point.load()
        except Exception as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            reason = ": ".join([type(error).__name__, *lines[:1]])
            raise TopologyError(f"{where}: cannot be loaded: {reason}") from error
        if not any(each.build is loaded for each in self._found.values()):
            raise TopologyError(f"{where}: {point.value} must be a function with @topologies.family")

    def __getitem__(self, name: str) -> Family:
        return self._all()[name]

    def __setitem__(self, name: str, family: Family) -> None:
        self._all()[name] = family

    def __delitem__(self, name: str) -> None:
        del self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


FAMILIES = Families()

BuildT = TypeVar("BuildT", bound=Callable[..., "nx.Graph[int]"])


def family(build: BuildT) -> BuildT:
    """Make a function a family of graphs, under its name.

    Its first argument is the number of nodes, at least 2; its second, if called ``generator``, is a NumPy
    generator from which it draws; the others are the parameters of the family, each with a default. It
    returns an undirected graph on 0..nodes-1, whose graph attributes are the parameters it chose itself, and
    raises TopologyError where no such graph exists.

    Raises:
        TopologyError: another family has the name.
    """
    signature = inspect.signature(build).parameters
    parameters = {
        name: each.default for name, each in signature.items() if each.default is not inspect.Parameter.empty
    }
    summary = (inspect.getdoc(build) or "").partition("\n")[0]
    here = build.__module__.partition(".")[0] == __name__.partition(".")[0]
    name = build.__name__
    FAMILIES.add(Family(name, summary, "generator" in signature, parameters, build, here))
    return build
