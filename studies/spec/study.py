"""Studies and trials; :mod:`studies.spec.resolving` creates them from a file."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import networkx as nx
from pydantic import BeforeValidator, Field, NonNegativeInt

import topologies
from studies.spec.manifest import notebook_table, short_text, trial_title
from studies.spec.presentation import FigureSettings, ReachSettings
from studies.spec.topology import TopologySettings
from testbed import workloads
from testbed.common.settings import Settings
from testbed.identity import FORMAT, digest, essence, with_contents


def _workload_models() -> dict[str, type[Settings]]:
    union = typing.get_args(workloads.Workload)[0]
    return {typing.get_args(m.model_fields["workload"].annotation)[0]: m for m in typing.get_args(union)}


WORKLOADS = _workload_models()


MOST_SEEDS = 10_000
"""Maximum number of seeds; a larger one is taken for a typing error."""


def _counted(value: Any) -> Any:
    """``seeds: 3`` is short for ``seeds: [0, 1, 2]``."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if not 1 <= value <= MOST_SEEDS:
            raise ValueError(f"must be a list of seeds, or their number, from 1 to {MOST_SEEDS:,}")
        return tuple(range(value))
    if not isinstance(value, list | tuple) or not value:
        raise ValueError("must be a list of seeds, such as [0, 1, 2], or how many there are")
    if len(set(map(str, value))) < len(value):
        raise ValueError("has the same seed twice")
    return value


class Header(Settings):
    """The keys that belong to the study rather than to each of its trials."""

    question: str = ""
    """The study's question, in one sentence; shown on its figures."""
    seeds: typing.Annotated[tuple[NonNegativeInt, ...], BeforeValidator(_counted)] = (0,)
    """Number or list of seeds: each combination of `vary` runs once per seed."""
    vary: dict[str, Any] = Field(default_factory=dict)
    """Dotted path -> the values it takes; or a name -> label -> settings that go together."""
    quick: dict[str, Any] = Field(default_factory=dict)
    """Dotted path -> value, put on top of everything by `--quick`."""
    reach: ReachSettings = Field(default_factory=dict)
    """Column of the curves -> thresholds: what it costs until the column is at most, or at least, so much,
    in activations, exchanges, bytes and simulated seconds; of training, in steps and updates, too."""
    figures: tuple[FigureSettings, ...] = ()
    """Your own figures, in addition to the standard ones."""


DEFAULT_TOPOLOGY = "ring"

HEADER_KEYS = tuple(Header.model_fields)
TOP_KEYS = {*HEADER_KEYS, "topology", *(key for model in WORKLOADS.values() for key in model.model_fields)}


@dataclass(frozen=True)
class TrialSpec:
    """One trial, whose results are a pure function of its fields.

    Attributes:
        settings: the workload, all defaults filled in.
        topology: the graph the agents talk over.
        seed: seed of every random stream.
        varied: key of ``vary`` -> this trial's value, as the study's tables and figures show it.
        contents: path of each file that it names -> digest of its content, see :mod:`testbed.identity`.
        apart: whether an earlier trial of its study is equivalent, as with another distribution of a jitter
            of 0; its name then includes the varied values.
    """

    settings: workloads.Workload
    topology: TopologySettings
    seed: int
    varied: Mapping[str, str | int | float | bool]
    contents: Mapping[str, Mapping[str, str]]
    apart: bool = False

    @cached_property
    def resolved(self) -> dict[str, Any]:
        """Plain data that describes the trial completely."""
        topology = self.topology.model_dump(mode="json")
        topology["nodes"] = self.settings.agents
        if self.topology.seed is None:
            topology["seed"] = self.seed
        if self.topology.name is not None:
            defaults = topologies.FAMILIES[self.topology.name].parameters
            topology["parameters"] = {**defaults, **self.topology.parameters}
        return {"seed": self.seed, "topology": topology, **self.settings.model_dump(mode="json")}

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Plain data from which the trial's name is derived: non-default settings, and files by content."""
        settings = essence(self.settings)
        network = self.settings.network.meaning(attributes=self.topology.file is not None)
        content = {
            "format": FORMAT,
            "seed": self.seed,
            "topology": self.topology.meaning(self.settings.agents, self.seed),
            "settings": {key: value for key, value in settings.items() if key != "network"},
            "network": network,
            **({"varied": dict(self.varied)} if self.apart else {}),
        }
        return dict(with_contents(content, self.contents))

    @cached_property
    def hash(self) -> str:
        """The trial's name: see :mod:`testbed.identity`."""
        return digest(self.identity)

    @property
    def names(self) -> int:
        """The format of its name."""
        return FORMAT

    @property
    def workload(self) -> str:
        """The workload of its study."""
        return self.settings.workload

    @property
    def title(self) -> str:
        """The title that distinguishes this trial from the others of its study."""
        return trial_title(self.varied, self.seed)

    def graph(self) -> nx.Graph[int]:
        """The trial's graph; see :meth:`TopologySettings.graph`."""
        return self.topology.graph(self.settings.agents, self.seed)


@dataclass(frozen=True, repr=False)
class Study:
    """A study whose trials have all been checked.

    Attributes:
        name: the file's, without its ending.
        question: one sentence, or nothing.
        workload: ``problem``, ``update`` or ``training``.
        varied: keys of the grid, dotted paths or names of cases, in the order in which they are written.
        trials: every combination and every seed, seeds varying fastest.
        environment_factors: those of ``varied`` that change the environment.
        comparison_factor: the one of ``varied`` whose values are compared with the first of them.
        document: the study file's contents, with the quick form and the command line's settings on top.
    """

    name: str
    question: str
    workload: str
    varied: tuple[str, ...]
    trials: tuple[TrialSpec, ...]
    environment_factors: tuple[str, ...] = ()
    comparison_factor: str | None = None
    document: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return short_text(self)

    def _repr_html_(self) -> str:
        return notebook_table(self)
