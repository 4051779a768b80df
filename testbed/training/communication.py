"""The simulated network, as a learner uses it."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import networkx as nx
import torch
from torch import Tensor

from policies.algorithms.subproblem import PolicyProblem
from testbed.consensus.base import Consensus
from testbed.consensus.problems.mean import MeanProblem
from testbed.consensus.result import CurveRow

AVERAGED = (
    "activations",
    "exchanges",
    "busy",
    "unfinished",
    "down",
    "garbled",
    "falsified",
    "rejected",
    "held_back",
    "tokens_spent",
    "late",
    "stalled",
    "consensus_seconds",
    "consensus_bytes",
)
"""Counts reported for an averaging by one-way messages; received messages are the exchanges."""


class NetworkCommunication:
    """Carries the messages between learners, and keeps the curves of their agreements."""

    def __init__(self, consensus: Consensus, progress: Callable[[CurveRow], None] | None = None) -> None:
        """``progress(row)`` receives every row of an agreement's curve."""
        self.consensus, self.progress = consensus, progress
        self._curve: list[CurveRow] = []
        self.charged_bytes = 0
        """Bytes not simulated: those that centralised methods would have sent."""

    @property
    def sent_bytes(self) -> int:
        """Bytes sent so far, charged ones included."""
        return self.consensus.network.ledger.sent_bytes + self.charged_bytes

    def take_curve(self) -> list[CurveRow]:
        """The curve of the last agreement since this was last asked, if there was one."""
        curve, self._curve = self._curve, []
        return curve

    def metrics(self) -> dict[str, float]:
        """The network's counts; charged bytes are among those sent."""
        return {**self.consensus.network.metrics(), "bytes_sent": float(self.sent_bytes)}

    def agree(self, problems: Sequence[PolicyProblem]) -> Mapping[str, float]:
        """One agreement by the algorithm of the settings; returns its row of numbers."""
        result = self.consensus.agree(problems, progress=self.progress)
        self._curve = result.curve
        return result.flat()

    def average(self, vectors: Tensor) -> tuple[Tensor, Mapping[str, float]]:
        """Average vectors [N, D] by the algorithm of the settings, as far as its budget goes.

        Numbers are sent unchanged, 4 bytes each if float32, unless the settings name a codec; running sums
        (robust_push_sum) always travel as float64.
        """
        result = self.consensus.agree([MeanProblem(vector) for vector in vectors.detach().cpu().numpy()])
        self._curve = result.curve
        averaged = torch.stack([torch.as_tensor(signal) for signal in result.signals])
        row = result.flat()
        measured = {
            "relative_disagreement_before": result.curve[0]["relative_disagreement"],
            "relative_disagreement": result.measured["relative_disagreement"],
        }
        return averaged.to(vectors), {name: row[name] for name in AVERAGED} | measured

    def centralise(self, to_centre: Sequence[int], from_centre: Sequence[int]) -> Mapping[str, float]:
        """Charge the bytes to and from a centre, [N] each, for every link on the way.

        The centre is the agent with the fewest links to all others, summed; no message is simulated: the
        charge is the least that a reliable network would carry.
        """
        ways = zip(to_centre, from_centre, self._hops, strict=True)
        charge = sum((up + down) * far for up, down, far in ways)
        self.charged_bytes += charge
        return {"charged_bytes": float(charge)}

    @cached_property
    def _hops(self) -> list[int]:
        """Links between each agent and the centre."""
        graph = self.consensus.network.graph
        centre = nx.barycenter(graph)[0]
        far: dict[int, int] = nx.single_source_shortest_path_length(graph, centre)
        return [far[node] for node in sorted(graph)]

    def state_dict(self) -> dict[str, Any]:
        """State that the network itself does not hold."""
        return {"charged_bytes": self.charged_bytes}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the state that ``state_dict`` gave."""
        self.charged_bytes = state["charged_bytes"]
