"""Copies of a signal that both ends of a direction keep, so that only compressed differences travel.

The sender i keeps copies h of its signal x as the receiver j has them, numbered from 1; copy 0 is zero. A
message gives copy n = h_b + C(x - h_b) from a *base* b that the receiver is known to have: both ends compute
it from the same numbers in the same order, so they are equal bit for bit. As x converges the difference, and
with it what C leaves out, goes to zero (Mishchenko, Gorbunov, Takac & Richtarik 2019, "Distributed learning
with compressed gradient differences", arXiv 1901.09269; Koloskova, Stich & Jaggi 2019, arXiv 1902.00340).

Lost, late and duplicated messages. The base moves on only when j has acknowledged a copy, so every message
can be read whichever others were lost. An acknowledgement names the newest copy that j has. Messages based on
a copy older than one that j has seen as a base come too late and are ignored.

Finite memory. The sender remembers its last `WINDOW` copies beyond the base, the receiver the last `WINDOW`
that it got beyond the greatest base it has seen. A copy that the receiver drops is older than `WINDOW` others
sent later, so the sender has dropped it as well and can no longer make it the base: the receiver has every
base that it is sent.

Crashes that lose state. Each agent counts its incarnations (on stable storage, as one counts boots). A
message of a newer incarnation of i makes j begin again from copy 0; an acknowledgement of a newer incarnation
of j makes i return to base 0; both ignore older incarnations.

Damage that nobody detects, and lies, would make the copies differ forever: with them, differences are
refused.
"""

import struct
from collections.abc import Callable

from testbed.consensus.payloads import Stamp
from testbed.consensus.problems.base import Signal

WINDOW = 64
"""Copies beyond the base that each end remembers."""

STAMP = struct.Struct("<HIIHI")
"""Incarnation, version and base of a message; incarnation and version that its sender acknowledges.

The acknowledging incarnation is the message's own.
"""

ACKNOWLEDGEMENT = struct.Struct("<HIH")
"""A message of its own: incarnation and version acknowledged, incarnation that acknowledges."""

Acknowledgement = tuple[int, int, int]
"""The sender's incarnation and copy that are acknowledged, and the receiver's incarnation."""


class SentCopies:
    """The sender's end of a direction."""

    def __init__(self, incarnation: int, zero: Signal) -> None:
        """``incarnation`` of the sender; ``zero`` [m] is copy 0."""
        self.incarnation, self._zero = incarnation, zero
        self.base, self.copy = 0, zero
        """The number of the base, and the base [m]."""
        self._version = 0
        self._unacknowledged: dict[int, Signal] = {}
        self._peer = 0

    def add(self, copy: Signal, heard: Acknowledgement) -> Stamp:
        """Note a copy [m] that is about to be sent as a difference from the base."""
        self._version += 1
        self._unacknowledged[self._version] = copy
        if len(self._unacknowledged) > WINDOW:
            del self._unacknowledged[next(iter(self._unacknowledged))]
        return Stamp(self.incarnation, self._version, self.base, heard)

    def acknowledged(self, heard: Acknowledgement) -> None:
        """Move the base on, or back to copy 0 if the receiver has lost its state."""
        incarnation, version, peer = heard
        if peer < self._peer:
            return
        if peer > self._peer:
            self._peer, self.base, self.copy = peer, 0, self._zero
            self._unacknowledged.clear()
        if incarnation == self.incarnation and version in self._unacknowledged:
            self.base, self.copy = version, self._unacknowledged[version]
            self._unacknowledged = {n: copy for n, copy in self._unacknowledged.items() if n > version}


class HeldCopies:
    """The receiver's end of a direction."""

    def __init__(self, zero: Signal) -> None:
        """``zero`` [m] is copy 0."""
        self._zero = zero
        self.incarnation, self.newest = 0, 0
        """Of the sender; and the number of its newest copy."""
        self._base = 0
        self._copies: dict[int, Signal] = {}

    def read(self, stamp: Stamp, difference: Callable[[], Signal]) -> Signal | None:
        """The copy [m] that a message gives; None if it is too old to be read.

        ``difference()`` is the decoded difference [m].
        """
        if stamp.incarnation < self.incarnation:
            return None
        if stamp.incarnation > self.incarnation:
            self.incarnation, self.newest, self._base, self._copies = stamp.incarnation, 0, 0, {}
        if stamp.version in self._copies:
            return self._copies[stamp.version]
        if stamp.base < self._base:
            return None
        base = self._zero if stamp.base == 0 else self._copies.get(stamp.base)
        if base is None:
            return None
        copy: Signal = base + difference()
        self._base = stamp.base
        self._copies[stamp.version] = copy
        self.newest = max(self.newest, stamp.version)
        beyond = sorted(n for n in self._copies if n > stamp.base)[-WINDOW:]
        self._copies = {n: self._copies[n] for n in (stamp.base, *beyond) if n in self._copies}
        return copy
