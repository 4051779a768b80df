"""The agents of a network: which are up, how fast they compute, and which of them lie."""

from collections.abc import Callable, Iterable
from math import prod
from typing import Any, Literal, Protocol

AgentState = Literal["kept", "lost"]
"""Whether a crashed agent restarts with its state or without it."""


class Liar(Protocol):
    """A fault that changes the numbers which an agent sends; see `testbed.network.faults.byzantine`."""

    name: str

    def generator(self) -> Any:
        """The random numbers of the next message, a NumPy generator."""

    def falsify(self, numbers: Any, message: Any) -> Any:
        """The numbers [k] to send in place of the true ones [k]."""


OnCrash = Callable[[int], object]
OnRestart = Callable[[int, AgentState], object]


class Agents:
    """The agents of a network, as faults leave them.

    The network itself only drops what a crashed agent sends and what reaches it. The
    network holds no state of an agent: the code that does registers a callback here, and clears that state
    when a crash loses it.
    """

    def __init__(self, nodes: Iterable[int]) -> None:
        self._crashes = dict.fromkeys(nodes, 0)
        self._lost: set[int] = set()
        self._factors: dict[int, list[float]] = {}
        self._liars: dict[int, tuple[Liar, ...]] = {}
        self._on_crash: list[OnCrash] = []
        self._on_restart: list[OnRestart] = []

    def require(self, node: int) -> None:
        """Raise ValueError if there is no such agent."""
        if node not in self._crashes:
            raise ValueError(f"node {node!r} is not in this network")

    def is_up(self, node: int) -> bool:
        """Whether an agent runs. Raises ValueError if there is no such agent."""
        self.require(node)
        return not self._crashes[node]

    def compute_factor(self, node: int) -> float:
        """Factor of an agent's compute times. Raises ValueError if there is no such agent."""
        self.require(node)
        # In an order that does not depend on which fault came first, because rounding does.
        return prod(sorted(self._factors.get(node, ())), start=1.0)

    def liars(self, node: int) -> tuple[Liar, ...]:
        """The faults that make an agent lie now, in the order in which they change its numbers."""
        return self._liars.get(node, ())

    def on_crash(self, callback: OnCrash) -> Callable[[], None]:
        """Call `callback(node)` when an agent crashes; returns a function that ends it."""
        self._on_crash.append(callback)
        return lambda: self._on_crash.remove(callback)

    def on_restart(self, callback: OnRestart) -> Callable[[], None]:
        """Call `callback(node, "kept" or "lost")` when an agent restarts; returns a function that ends it."""
        self._on_restart.append(callback)
        return lambda: self._on_restart.remove(callback)

    # --- for faults ------------------------------------------------------------------------------------

    def crash(self, node: int, state: AgentState, *, tell: bool) -> None:
        """One more fault keeps the agent down."""
        self._crashes[node] += 1
        if state == "lost":
            self._lost.add(node)
        if tell and self._crashes[node] == 1:
            for callback in tuple(self._on_crash):
                callback(node)

    def restart(self, node: int, *, tell: bool) -> None:
        """One fault fewer keeps the agent down; its state is lost if any of the faults loses it."""
        self._crashes[node] -= 1
        if self._crashes[node]:
            return
        state: AgentState = "lost" if node in self._lost else "kept"
        self._lost.discard(node)
        if tell:
            for callback in tuple(self._on_restart):
                callback(node, state)

    def slow(self, node: int, factor: float) -> None:
        """Multiply the agent's compute times."""
        self._factors.setdefault(node, []).append(factor)

    def recover(self, node: int, factor: float) -> None:
        """Undo one `slow`."""
        self._factors[node].remove(factor)

    def begin_lying(self, node: int, liar: Liar) -> None:
        """One more fault changes the numbers that the agent sends."""
        # In an order that does not depend on which fault came first, so that a restored state has the same.
        self._liars[node] = tuple(sorted((*self.liars(node), liar), key=lambda each: each.name))

    def stop_lying(self, node: int, liar: Liar) -> None:
        """Undo one `begin_lying`."""
        self._liars[node] = tuple(each for each in self._liars[node] if each is not liar)

    def state_dict(self) -> list[int]:
        """Agents that will restart without their state, JSON-able; active faults determine the rest."""
        return sorted(self._lost)

    def load_state_dict(self, state: list[int]) -> None:
        """Restore the state that `state_dict` gave."""
        self._lost = set(state)
