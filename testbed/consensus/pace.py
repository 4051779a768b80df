"""Check that a budget of simulated time can be spent at the rate of activations."""

from collections.abc import Iterator
from math import inf
from typing import TYPE_CHECKING

from testbed.common.settings import SettingError
from testbed.consensus.settings import ConsensusSettings
from testbed.network import NetworkSettings

if TYPE_CHECKING:
    import networkx as nx

MOST_ACTIVATIONS = 10_000_000
"""Most activations in a budget of seconds that nothing else limits: some hours of computing."""

MOST_CHANGES = 10_000_000
"""Most rounds of a schedule, or beginnings and ends of random faults, in one agreement."""

SHORTEST = 1e-9
"""Least mean seconds between activations; anything shorter is a typing error, or no time at all."""


def check_budget(
    consensus: ConsensusSettings, network: NetworkSettings, graph: "nx.Graph[int]", size: int
) -> None:
    """Raise SettingError if an agreement would have too many events to be computed.

    That is the case if activations are not limited and simulated time passes too slowly to end them, or if
    the network itself changes too often during the agreement. ``size`` is the greatest number of bytes that a
    message can have.
    """
    if not graph.number_of_edges():
        return
    budget = consensus.budget
    if budget.activations is not None and not any(True for _ in _periods(network, graph)):
        return
    each = seconds_per_activation(consensus, network, graph, size)
    _check_changes(consensus, network, graph, each)
    if budget.activations is not None:
        return
    if each < SHORTEST:
        takes = "takes no time" if each == 0 else f"takes {each:.1g} s of simulated time"
        raise SettingError(
            ("consensus", "budget"),
            f"an activation {takes} here, so only a number of activations can end this: set"
            f" budget.activations, or let activations take at least {SHORTEST:g} s (by compute, network.link,"
            " period or a lower activation_rate)",
        )
    if budget.seconds is not None and budget.bytes is None and budget.seconds / each > MOST_ACTIVATIONS:
        raise SettingError(
            ("consensus", "budget", "seconds"),
            f"{budget.seconds:g} s holds about {budget.seconds / each:.1g} activations, one every"
            f" {each:.1g} s: must hold at most {MOST_ACTIVATIONS:,}; or set budget.activations as well",
        )


def _check_changes(
    consensus: ConsensusSettings, network: NetworkSettings, graph: "nx.Graph[int]", each: float
) -> None:
    """Raise SettingError if rounds of a schedule, or random faults, come too often to be computed."""
    budget = consensus.budget
    lasts = min(
        inf if budget.seconds is None else budget.seconds,
        inf if budget.activations is None else budget.activations * each,
    )
    often = [(period, keys) for period, keys in _periods(network, graph) if lasts / period > MOST_CHANGES]
    if lasts < inf and often:
        period, keys = min(often)
        raise SettingError(
            keys,
            f"too often: an agreement of {lasts:.3g} s has about {lasts / period:.1g} changes of the"
            f" network: must be at most {MOST_CHANGES:,}",
        )


def _periods(
    network: NetworkSettings, graph: "nx.Graph[int]"
) -> Iterator[tuple[float, tuple[str | int, ...]]]:
    """Seconds between changes that the network makes by itself, each with the setting that says so."""
    if network.schedule is not None and network.schedule.pace is not None:
        yield network.schedule.pace, ("network", "schedule", "period")
    for number, fault in enumerate(network.faults):
        if fault.mtbf is not None and fault.mttr is not None:
            every = getattr(fault, "link", None) == "all" or getattr(fault, "agent", None) == "all"
            subjects = max(graph.number_of_edges(), graph.number_of_nodes()) if every else 1
            yield (fault.mtbf + fault.mttr) / (2 * subjects), ("network", "faults", number, "mtbf")


def seconds_per_activation(
    consensus: ConsensusSettings, network: NetworkSettings, graph: "nx.Graph[int]", size: int
) -> float:
    """Simulated seconds from one activation to the next on average, for messages of ``size`` bytes."""
    agents = sum(degree > 0 for _, degree in graph.degree)
    if consensus.activation in ("asynchronous", "gossip"):
        return 1 / (agents * consensus.activation_rate)
    if consensus.activation == "poisson":
        return 1 / (graph.number_of_edges() * consensus.activation_rate)
    if consensus.activation == "synchronous" and consensus.period is not None:
        return consensus.period / agents
    latencies = [link.nominal_latency(size) + link.spread for link in network.by_direction(graph).values()]
    if consensus.activation == "synchronous":
        return (consensus.compute + 2 * max(latencies)) / agents
    return 2 * consensus.compute + 2 * sum(latencies) / len(latencies)
