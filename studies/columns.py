"""What the columns of the tables are called on figures."""

from __future__ import annotations

from typing import Any

TITLES = {
    "activations": "activations",
    "exchanges": "completed exchanges",
    "seconds": "simulated time (s)",
    "bytes": "bytes sent",
    "disagreement": "disagreement (root mean square over links)",
    "relative_disagreement": "relative disagreement",
    "primal_residual": "primal residual",
    "error": "relative distance to the optimum",
    "update": "policy update",
    "steps": "environment steps",
    "return": "team return per episode",
    "topology": "topology",
    "network.link.loss": "message loss (probability)",
    "network.link.delay": "link delay",
    "network.link.jitter": "link jitter",
    "network.link.rate": "link rate",
    "consensus.budget.activations": "activations per agreement",
    "consensus.budget.exchanges": "exchanges per agreement",
    "consensus.budget.seconds": "simulated seconds per agreement",
    "consensus.budget.bytes": "bytes per agreement",
    "consensus.penalty": "penalty β",
    "consensus.activation": "activation",
    "consensus.algorithm": "consensus algorithm",
    "environment.agents": "agents",
    "problem.agents": "agents",
    "algorithm.step": "step",
    "seed": "seed",
}


def title(column: str) -> str:
    """A column's name for people; dotted paths that are not listed lose their outer keys."""
    return TITLES.get(column, column.split(".")[-1].replace("_", " "))


def label(value: Any) -> str | int | float | bool:
    """A varied value as tables show it: scalars as they are, mappings as ``watts_strogatz k=4 p=0.1``."""
    if isinstance(value, bool | int | float | str):
        return value
    if value is None:
        return "none"
    if isinstance(value, dict):
        rest = dict(value)
        words = [str(rest.pop("name"))] if "name" in rest else []
        return " ".join([*words, *(f"{key}={label(inner)}" for key, inner in rest.items())])
    if isinstance(value, list):
        return ", ".join(str(label(inner)) for inner in value)
    return str(value)
