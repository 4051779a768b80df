"""What the columns of the tables are called on figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from studies import text
from studies.formatting import Unit, quantity

RESERVED = ("trial", "seed", "panel", "metric", "mean", "iqm", "pairs", "reference")
"""Columns that tables and figures have besides what is varied and measured."""

TITLES = {
    "activations": "activations",
    "exchanges": "completed exchanges",
    "seconds": "simulated time (s)",
    "bytes": "bytes sent",
    "disagreement": "disagreement (root mean square over links)",
    "relative_disagreement": "relative disagreement",
    "primal_residual": "primal residual",
    "error": "relative distance to the optimum",
    "message_age": "message age (s, mean over directions)",
    "message_age_max": "message age (s, oldest direction)",
    "message_age_average": "message age (s, mean over directions)",
    "utilisation": "link utilisation (share of time)",
    "utilisation_max": "link utilisation (share of time, busiest direction)",
    "given_up": "exchanges given up",
    "half_committed": "half-committed exchanges",
    "stalled": "agreements that nothing could go on with",
    "messages_sent": "messages sent",
    "bytes_sent": "bytes sent",
    "charged_bytes": "bytes charged for what a centre is sent",
    "faults_untouched": "faults that touched no message",
    "update": "policy update",
    "steps": "environment steps",
    "return": "team return per episode",
    "return_battle_won": "win rate (share of episodes)",
    "evaluation_return": "team return per evaluation episode",
    "evaluation_return_battle_won": "win rate (share of evaluation episodes)",
    "topology": "topology",
    "network.link.loss": "message loss (probability)",
    "network.link.delay": "link delay",
    "network.link.jitter": "link jitter",
    "network.link.rate": "link rate",
    "network.link.distribution": "law of the delay",
    "network.link.duplicate": "duplication (probability)",
    "network.link.corrupt": "corruption (probability)",
    "network.link.reorder": "reordering (probability)",
    "network.faults": "fault",
    "network.transport": "transport",
    "network.schedule": "changing topology",
    "consensus.budget.activations": "activations per agreement",
    "consensus.budget.exchanges": "exchanges per agreement",
    "consensus.budget.seconds": "simulated seconds per agreement",
    "consensus.budget.bytes": "bytes per agreement",
    "consensus.penalty": "penalty β",
    "consensus.coupling": "coupling γ",
    "consensus.initial_dual": "first dual y",
    "consensus.activation": "activation",
    "consensus.relaxation": "relaxation α",
    "consensus.codec": "numbers sent as",
    "consensus.subset": "share of the coordinates per exchange",
    "consensus.timeout": "time-out",
    "consensus.algorithm": "consensus algorithm",
    "environment.agents": "agents",
    "environment.map": "map",
    "problem.agents": "agents",
    "algorithm.name": "algorithm",
    "algorithm.step": "step",
    "algorithm.curvature": "curvature in the step's length",
    "algorithm.advantage_mean": "mean taken from advantages",
    "algorithm.solver.every": "samples per one in Fisher products",
    "algorithm.solver": "solver",
    "algorithm.solver.tolerance": "tolerance of the solves",
    "algorithm.solver.iterations": "Fisher products per solve",
    "algorithm.solver.preconditioner": "preconditioner",
    "solve_error": "relative error of the solves",
    "surrogate_gain": "surrogate gain (sum over agents)",
    "holdout_gain": "surrogate gain (sum over agents)",
    "binding": "agents at the boundary (share)",
    "seed": "seed",
}

ALGORITHMS = {
    "matrpo": "MATRPO",
    "itrpo": "I-TRPO",
    "ctrpo": "C-TRPO",
    "mappo": "MAPPO",
    "fdmarl": "FDMARL",
}
"""As the literature writes the names of algorithms."""


GEOMETRIC = frozenset(
    {
        "error",
        "disagreement",
        "relative_disagreement",
        "relative_disagreement_before",
        "primal_residual",
        "solve_error",
        "solve_residual",
        "solve_residual_max",
    }
)
"""Distances, which fall by powers of ten: on logarithmic axes, and over seeds by their geometric mean."""

COUNTS = frozenset({"activations", "exchanges", "update", "steps", "episodes", "given_up", "half_committed"})

COUNTED = ("messages_", "dropped_", "faults", "solves", "fisher_products", "search")
"""Beginnings of the names of other counts."""


def geometric(metric: str) -> bool:
    """Whether a metric is averaged by its logarithms, and drawn on a logarithmic axis."""
    return metric in GEOMETRIC


def unit(metric: str) -> Unit:
    """What a metric is in."""
    if metric == "bytes" or metric.startswith("bytes_") or metric.endswith("_bytes"):
        return "bytes"
    if (
        metric in ("seconds", "transmitting")
        or metric.endswith("_seconds")
        or metric.startswith("message_age")
    ):
        return "seconds"
    return "count" if metric in COUNTS or metric.startswith(COUNTED) else ""


def title(column: str) -> str:
    """A column's name for people; dotted paths that are not listed lose their outer keys."""
    return TITLES.get(column) or text.label(column.split(".")[-1].replace("_", " "))


def said(column: str, value: object) -> str:
    """A varied value, as tables have it, in a figure: short numbers, algorithms by their names."""
    if isinstance(value, float):
        return f"{value:g}"
    if column not in ("algorithm", "algorithm.name"):
        return text.label(str(value))
    name, *rest = str(value).split(" ")
    return text.label(" ".join([ALGORITHMS.get(name, name), *rest]))


def levels(column: str, values: Sequence[object]) -> list[str]:
    """Of different values the words for them, as :func:`said` has them but all different."""
    found = [said(column, value) for value in values]
    if len(set(found)) < len(found):
        found = [repr(value) if isinstance(value, float) else said(column, value) for value in values]
    return text.apart(found)


SHOWN = ("return", "disagreement", "relative_disagreement", "error")
"""Of what a trial reports, the numbers people watch."""


def watched(latest: Mapping[str, Any]) -> str:
    """``return -180.2  disagreement 0.0123``: of the latest numbers, those that people watch."""
    known = {name: float(latest[name]) for name in SHOWN if name in latest}
    return "  ".join(
        f"{name.replace('_', ' ')} {quantity(value, unit(name))}" for name, value in known.items()
    )
