"""The record of when the faults of a study were active: what figures shade, and where a replay opens."""

from dataclasses import asdict, astuple, dataclass
from typing import Any

MOST = 10_000
"""Largest number of windows recorded in a run; if there are more, none is, for no figure could show them."""


@dataclass(slots=True)
class FaultWindow:
    """One time that a fault was active, from `begun` to `lifted` in simulated seconds.

    Updates count from 1. A fault that ends when update 6 is announced has `lifted_update` 6 and was active
    in update 5, not in update 6; one that has not been lifted has None for both.
    """

    fault: str
    """The title of its plan, as in the report of the faults."""
    name: str
    """Its own name, with its link or agent if the plan has several."""
    begun: float
    begun_update: int
    lifted: float | None = None
    lifted_update: int | None = None


class WindowRecord:
    """The windows of a network's planned faults, as they begin and end."""

    def __init__(self) -> None:
        self.taken: list[FaultWindow] | None = []
        """In the order in which they began; None if they are not all known, or are too many."""
        self._open: dict[str, FaultWindow] = {}
        self.update: int | None = None
        """The policy update that was announced last."""

    def announce_update(self, number: int) -> None:
        """A policy update begins."""
        self.update = number

    def begun(self, fault: str, name: str, now: float) -> None:
        """A fault has begun."""
        if self.taken is None:
            return
        if len(self.taken) == MOST:
            self.taken = None
            return
        window = self._open[name] = FaultWindow(fault, name, now, self.update or 1)
        self.taken.append(window)

    def lifted(self, name: str, now: float) -> None:
        """A fault has been lifted."""
        window = self._open.pop(name, None)
        if window is not None:
            window.lifted, window.lifted_update = now, self.update or 1

    def state_dict(self) -> dict[str, Any]:
        """The windows so far, JSON-able."""
        taken = None if self.taken is None else [list(astuple(window)) for window in self.taken]
        return {"update": self.update, "windows": taken}

    def load_state_dict(self, state: dict[str, Any] | None) -> None:
        """Restore the state that `state_dict` gave; None: an earlier version saved no such state."""
        self._open.clear()
        self.update = None if state is None else state["update"]
        if state is None or state["windows"] is None:
            self.taken = None
            return
        self.taken = [FaultWindow(*window) for window in state["windows"]]
        self._open = {window.name: window for window in self.taken if window.lifted is None}


def window_row(window: FaultWindow) -> dict[str, float | str]:
    """A window as a row of a table: numbers are floats, not a number where it has not been lifted.

    Its own name is in the column `fault_name`, because studies may vary something that they call `name`.
    """
    found = asdict(window)
    found = {"fault": found.pop("fault"), "fault_name": found.pop("name"), **found}
    for name in ("begun", "begun_update", "lifted", "lifted_update"):
        found[name] = float("nan") if found[name] is None else float(found[name])
    return found
