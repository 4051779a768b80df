"""The result of one agreement, in numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from testbed.consensus.problems.base import Signal
from testbed.network.link_names import Link

CurveRow = dict[str, float]


@dataclass(slots=True)
class Counts:
    """Outcomes of the activations of one agreement."""

    activations: int = 0
    completed: int = 0
    """Exchanges completed at both ends; with one-way messages, messages received."""
    given_up: int = 0
    """No answer came in time; nothing committed at the end that began."""
    busy: int = 0
    """Refused: one of the two ends was in another exchange, or an agent was busy with its last solve."""
    held: int = 0
    """Requests that waited until the agent they reached was free, or for too long and were refused."""
    half_committed: int = 0
    """The end that answered committed, the end that began did not."""
    healed: int = 0
    """Half-committed links whose two ends agree again (y_i = y_j, and z_i + z_j = 0 or with coupling
    y_i / gamma) by completed exchanges: by the next, or with subsets as soon as every coordinate has been in
    one."""
    unfinished: int = 0
    """Still under way when the agreement ended."""
    stale: int = 0
    """Messages of an exchange that was over, or older than one already seen, or a difference from
    a copy that the receiver does not have; they were ignored."""
    down: int = 0
    """Activations of an agent that had crashed."""
    garbled: int = 0
    """Messages ignored because damage on the way left numbers in them that are not finite."""
    falsified: int = 0
    """Messages sent with false numbers by agents that lie, whether they arrived or not."""
    rejected: int = 0
    """Messages ignored as outliers (`outlier_rejection`)."""
    held_back: int = 0
    """Messages that were not sent because they would have told their receiver too little that is new, or for
    which a token was saved."""
    tokens_spent: int = 0
    """Messages sent at once when another was heard, each for a token saved."""
    repeated: int = 0
    """Repeated requests, answered as the first time."""
    solves: int = 0


@dataclass
class ConsensusResult:
    """The agreed signals and the statistics of the agreement."""

    signals: Sequence[Signal]
    counts: Counts
    curve: list[CurveRow]
    order: list[Link]
    """Links of the completed exchanges, in order of completion."""
    seconds: float
    """Simulated duration."""
    bytes: int
    """Bytes sent, whether delivered or not."""
    late: int
    """Messages still in flight at the end, never delivered."""
    stalled: bool = False
    """Whether it ended early because no further event could have spent the budget."""
    measured: dict[str, float] = field(default_factory=dict)
    """Disagreement and residuals at the end."""

    def flat(self) -> dict[str, float]:
        """One row of numbers under the names used in every table."""
        c = self.counts
        return {
            "activations": float(c.activations),
            "exchanges": float(c.completed),
            "given_up": float(c.given_up),
            "busy": float(c.busy),
            "held": float(c.held),
            "half_committed": float(c.half_committed),
            "healed": float(c.healed),
            "unfinished": float(c.unfinished),
            "stale": float(c.stale),
            "repeated": float(c.repeated),
            "down": float(c.down),
            "garbled": float(c.garbled),
            "falsified": float(c.falsified),
            "rejected": float(c.rejected),
            "held_back": float(c.held_back),
            "tokens_spent": float(c.tokens_spent),
            "late": float(self.late),
            "stalled": float(self.stalled),
            "consensus_seconds": self.seconds,
            "consensus_bytes": float(self.bytes),
            **self.measured,
        }
