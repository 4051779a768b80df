"""Labels of varied values: how tables and figures write the value of a key of ``vary``."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from studies.columns import format_value
from testbed.network.impairments.loss import LOSSES


def label(value: Any) -> str | int | float | bool:
    """A varied value as tables show it: scalars as they are, mappings as ``watts_strogatz k=4 p=0.1``.

    Faults go by the names of those that have one, if any; losses in bursts by ``0.2 in bursts of 5``.
    """
    if isinstance(value, bool | int | float | str):
        return value
    if value is None:
        return "none"
    if isinstance(value, dict):
        if "fault" in value or "down" in value or "mtbf" in value:
            return _fault(value)
        if (loss := _loss(value)) is not None:
            return loss
        if "preconditioner" in value:
            return _solver(value)
        # Permission for a graph in several parts does not distinguish it from others.
        rest = {key: inner for key, inner in value.items() if key != "allow_disconnected"}
        words = [str(rest.pop("name"))] if "name" in rest else []
        return " ".join([*words, *(f"{key}={label(inner)}" for key, inner in rest.items())])
    if isinstance(value, list):
        named = [inner for inner in value if isinstance(inner, dict) and "fault" in inner and "name" in inner]
        if named:  # a name may stand for several related faults
            return ", ".join(str(inner["name"]) for inner in named)
        return ", ".join(str(label(inner)) for inner in value) or "none"
    return str(value)


def _fault(fault: dict[str, Any]) -> str:
    """``partition groups=halves down=2s``, or the fault's own name."""
    if "name" in fault:
        return str(fault["name"])
    kind = str(fault.get("fault", "link"))
    rest = [f"{key}={label(inner)}" for key, inner in fault.items() if key not in ("fault", "link")]
    return " ".join([kind, *([str(fault["link"])] if "link" in fault else []), *rest])


def _solver(solver: dict[str, Any]) -> str:
    """``plain, 10 iterations from zero``, or ``K-FAC`` for the default solver."""
    words = ["K-FAC" if solver["preconditioner"] == "kfac" else "plain"]
    if "iterations" in solver:
        cold = " from zero" if solver.get("warm_start") is False else ""
        words.append(f"{solver['iterations']} iteration{'s' * (solver['iterations'] != 1)}{cold}")
    if solver.get("tolerance"):
        words.append(f"to {format_value('tolerance', solver['tolerance'])}")
    named = ("preconditioner", "iterations", "warm_start", "tolerance", "audit")
    words += [f"{key}={inner}" for key, inner in solver.items() if key not in named]
    return ", ".join(words)


def _loss(given: dict[str, Any]) -> str | None:
    """The words of a loss model; None for a mapping that is none, or that has no words of its own."""
    kind = LOSSES.chosen(given)
    if kind is None:
        return None
    try:
        own = kind.model_validate(given).label()
    except ValidationError:  # settings of something else that has such a key
        own = None
    if own is None and len(given) == 1 and isinstance(inner := next(iter(given.values())), dict):
        return f"{next(iter(given))} {label(inner)}"
    return own
