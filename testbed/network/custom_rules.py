"""Custom rules: callables that see every packet and may drop or delay it."""

from collections.abc import Callable, Iterable
from math import inf
from typing import Any

from testbed.network.direction import Direction
from testbed.network.impairments.rule import AGENT_DOWN, LINK_DOWN, Fate, Rule
from testbed.network.link_names import parse_directions
from testbed.network.links import Links
from testbed.network.message import Message

Verdict = str | float | None
"""The reason to drop a packet, seconds to delay it, or neither."""

PacketRule = Callable[[Message, float], Verdict]
"""Decides about a packet that is sent at a time, in simulated seconds."""


class CustomRule(Rule):
    """Asks a callable about each packet of one direction, including those already dropped."""

    __slots__ = ("_ask", "_name", "_now")

    def __init__(self, name: str, ask: PacketRule, now: Callable[[], float]) -> None:
        self._name, self._ask, self._now = name, ask, now

    def decide(self, message: Message, fate: Fate) -> None:
        verdict = self._ask(message, self._now())
        if verdict is None:
            return
        if isinstance(verdict, str):
            if verdict in ("", LINK_DOWN, AGENT_DOWN):
                raise ValueError(
                    f"{self._name} drops a packet as {verdict!r}: must be another reason;"
                    f" {LINK_DOWN} and {AGENT_DOWN} belong to faults"
                )
            if fate.reason is None:
                fate.reason = verdict
        elif isinstance(verdict, bool) or not isinstance(verdict, int | float) or not 0 <= verdict < inf:
            raise ValueError(
                f"{self._name} returned {verdict!r} for a packet: must be None, a reason (text) to drop it,"
                " or its delay in seconds, finite and not negative"
            )
        else:
            fate.time += verdict


class CustomRules:
    """The rules that the user of a network has added to it, by name."""

    def __init__(self, links: Links) -> None:
        self._links = links
        self._rules: dict[str, PacketRule] = {}

    def add(self, rule: PacketRule, links: Iterable[str] | None, name: str | None) -> Callable[[], None]:
        """Let a rule decide about what is sent from now on; see `Network.add_rule`."""
        names = (f"rule {number}" for number in range(len(self._rules) + 1))
        known = name or next(free for free in names if free not in self._rules)
        if known in self._rules:
            raise ValueError(f"rule {known!r}: a rule with this name already exists")
        directions = list(self._links) if links is None else self._named(links)
        timeline = self._links.timeline
        own = CustomRule(known, rule, lambda: timeline.now)
        for direction in directions:
            direction.add_rule(f"custom {known}", own)
        self._rules[known] = rule

        def remove() -> None:
            if self._rules.get(known) is rule:
                del self._rules[known]
                for direction in directions:
                    direction.remove_rule(f"custom {known}")

        return remove

    def _named(self, links: Iterable[str]) -> list[Direction]:
        if isinstance(links, str):
            raise ValueError(f"links {links!r} must be a list of names, such as ['0-1', '2>1']")
        ways = dict.fromkeys(way for link in links for way in parse_directions(link))
        return [self._links.direction(*way) for way in ways]

    def state_dict(self) -> dict[str, Any]:
        """The states of the rules that have one, by name."""
        return {name: rule.state_dict() for name, rule in self._rules.items() if hasattr(rule, "state_dict")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state of `state_dict`. Raises ValueError unless the same stateful rules are here."""
        keeping = {name: rule for name, rule in self._rules.items() if hasattr(rule, "load_state_dict")}
        if keeping.keys() != state.keys():
            raise ValueError(
                f"the saved network has states of the rules {sorted(state)}, but this one has the rules"
                f" {sorted(keeping)}: add the same rules before loading"
            )
        for name, rule in keeping.items():
            rule.load_state_dict(state[name])
