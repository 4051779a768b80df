"""The ``topology:`` of a study: a family with its parameters, or a file."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import networkx as nx
from pydantic import Field, NonNegativeInt, PositiveInt, field_validator, model_validator

import topologies
from testbed.common.settings import Settings
from testbed.identity import differing, recorded_parameters, same, whole

OWN_KEYS = ("name", "file", "nodes", "seed", "allow_disconnected")


class TopologySettings(Settings):
    """The communication graph of the agents."""

    name: str | None = None
    """A family of graphs; or else a `file`."""
    file: str | None = None
    """GraphML, GML, node-link JSON, edge list or adjacency CSV; its names of nodes are shown to people."""
    nodes: PositiveInt | None = None
    """Number of nodes; null: as many as there are agents. Any other value must equal that number."""
    seed: NonNegativeInt | None = None
    """Seed of random families; null: the trial's seed, so that a figure's bands cover the drawn graphs."""
    allow_disconnected: bool = False
    """A graph in several parts is refused unless this is true."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """Parameters of the family. In a study file they are written next to `name`: {name: torus, rows: 4}."""

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, data: Any) -> Any:
        """``ring`` is ``{name: ring}``, and unknown keys are the family's parameters."""
        if isinstance(data, str):
            return {"name": data}
        if not isinstance(data, dict):
            raise ValueError(
                "must be the name of a topology, or a mapping such as {name: watts_strogatz, k: 4}"
            )
        if "parameters" in data:
            return data
        own = {key: value for key, value in data.items() if key in OWN_KEYS}
        return {**own, "parameters": {key: value for key, value in data.items() if key not in OWN_KEYS}}

    @field_validator("parameters")
    @classmethod
    def _whole(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Whole numbers may be written with a decimal point or an exponent, as everywhere."""
        return {
            name: int(value) if isinstance(value, float) and value.is_integer() else value
            for name, value in given.items()
        }

    @model_validator(mode="after")
    def _one_source(self) -> TopologySettings:
        if (self.name is None) == (self.file is None):
            raise ValueError("needs a name or a file, one of the two")
        return self

    def meaning(self, agents: int, seed: int) -> dict[str, Any]:
        """Plain data, equal for settings that mean the same; see :mod:`testbed.identity`.

        Args:
            agents: how many nodes the graph has.
            seed: the trial's.
        """
        found = differing(self)
        for key in ("nodes", "seed", "parameters", "allow_disconnected"):
            found.pop(key, None)
        random = self.name is not None and topologies.FAMILIES[self.name].random
        if self.allow_disconnected and (random or self.file is not None):  # no other family draws again
            found["allow_disconnected"] = True
        if random and self.seed not in (None, seed):
            found["seed"] = self.seed
        if parameters := self._parameters(agents):
            found["parameters"] = parameters
        return found

    def _parameters(self, agents: int) -> dict[str, Any]:
        """Those that differ from what the family would choose by itself."""
        if self.name is None or not self.parameters:
            return {}
        family, given = topologies.FAMILIES[self.name], self.parameters
        usual = recorded_parameters(f"topology {self.name}", family.parameters)
        if not family.random:  # these may choose by the number of nodes
            given = topologies.make(self.name, agents, **given).graph["parameters"]
            with suppress(ValueError):  # without parameters there may be no such graph
                usual = {**usual, **topologies.make(self.name, agents).graph["parameters"]}
        return {name: whole(value) for name, value in given.items() if not same(value, usual.get(name))}

    def graph(self, agents: int, seed: int) -> nx.Graph[int]:
        """Draws or reads the graph.

        Args:
            agents: how many nodes it must have.
            seed: the trial's, used when the topology has none of its own.

        Raises:
            TopologyError: it is impossible, disconnected without being asked for, or of another size.
        """
        if self.nodes is not None and self.nodes != agents:
            raise _wrong_size(agents, self.nodes)
        if self.name is not None:
            return topologies.make(
                self.name,
                agents,
                seed=seed if self.seed is None else self.seed,
                allow_disconnected=self.allow_disconnected,
                **self.parameters,
            )
        graph = topologies.read(Path(str(self.file)), allow_disconnected=self.allow_disconnected)
        if len(graph) != agents:
            raise _wrong_size(agents, len(graph))
        return graph


def _wrong_size(agents: int, nodes: int) -> topologies.TopologyError:
    more = "more agents than nodes" if agents > nodes else "more nodes than agents"
    reason = f"{more}: {agents} agents, {nodes} nodes; each node is one agent"
    return topologies.TopologyError(reason, field="nodes")
