"""Edge-ADMM on the network against the sequential reference and exact optima."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import reference_consensus as reference

import topologies
from testbed.consensus.edge_admm.algorithm import EdgeADMM
from testbed.consensus.problems.base import ConsensusProblem, LocalProblem, Signal
from testbed.consensus.problems.least_squares import LeastSquaresSettings
from testbed.consensus.problems.mean import MeanSettings
from testbed.consensus.result import ConsensusResult
from testbed.consensus.settings import Budget, ConsensusSettings
from testbed.network import LinkSettings, Network, NetworkSettings, Streams, Trace

TOPOLOGIES = ["ring", "star", "erdos_renyi"]


def graph_of(name: str, agents: int):
    return topologies.make(name, agents, seed=1, **({"p": 0.5} if name == "erdos_renyi" else {}))


def problem_of(name: str, agents: int, seed: int = 0) -> ConsensusProblem:
    settings = {"mean": MeanSettings, "least_squares": LeastSquaresSettings}[name](agents=agents, dimension=4)
    return settings.make(Streams(seed))


def agree(
    problems: Sequence[LocalProblem],
    graph,
    settings: ConsensusSettings,
    network: NetworkSettings | None = None,
    seed: int = 0,
    **options,
) -> tuple[ConsensusResult, list[list[Signal]], Network]:
    """One agreement, with the signals at every row of its curve."""
    streams = Streams(seed)
    net = Network(graph, network or NetworkSettings(), streams, trace=Trace())
    history: list[list[Signal]] = []

    def keep(signals: Sequence[Signal]) -> dict[str, float]:
        history.append(list(signals))
        return {}

    result = EdgeADMM(net, settings, streams).agree(problems, measure=options.get("measure", keep))
    net.ledger.check()
    return result, history, net


@pytest.mark.parametrize("activation", ["sequential", "round_robin"])
@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("problem", ["mean", "least_squares"])
def test_a_perfect_network_gives_the_reference_bit_for_bit(problem, topology, activation):
    graph, local = graph_of(topology, 6), problem_of(problem, 6).local
    settings = ConsensusSettings(activation=activation, penalty=0.7, budget=Budget(activations=60))
    result, history, _ = agree(local, graph, settings)
    links = sorted(tuple(sorted(edge)) for edge in graph.edges)
    expected = list(reference.edge_admm(local, links, result.order, 0.7))
    assert len(expected) == len(history) - 1 == 60
    for ours, theirs in zip(history[1:], expected, strict=True):
        for s, r in zip(ours, theirs, strict=True):
            assert s.tobytes() == r.tobytes()


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("problem", ["mean", "least_squares"])
def test_edge_admm_reaches_the_exact_optimum(problem, topology):
    posed = problem_of(problem, 6)
    penalty = 0.5 if problem == "mean" else 8.0
    settings = ConsensusSettings(penalty=penalty, budget=Budget(activations=2500), curve_every=500)
    result, _, _ = agree(posed.local, graph_of(topology, 6), settings)
    for signal in result.signals:
        np.testing.assert_allclose(signal, posed.optimum, atol=1e-8, rtol=0)


def test_latency_and_jitter_alone_change_when_but_not_what():
    posed = problem_of("mean", 6)
    settings = ConsensusSettings(budget=Budget(activations=80))
    slow = NetworkSettings(link=LinkSettings(delay=0.02, jitter=0.005, rate=1e6))
    perfect, _, _ = agree(posed.local, graph_of("ring", 6), settings)
    delayed, _, _ = agree(posed.local, graph_of("ring", 6), settings, slow)
    for s, r in zip(perfect.signals, delayed.signals, strict=True):
        assert s.tobytes() == r.tobytes()
    assert delayed.seconds > perfect.seconds + 80 * 2 * 0.01


def test_a_sequential_exchange_lasts_two_solves_and_a_round_trip():
    posed = problem_of("mean", 4)
    settings = ConsensusSettings(compute=0.01, budget=Budget(activations=10))
    network = NetworkSettings(link=LinkSettings(delay=0.005))
    result, _, _ = agree(posed.local, graph_of("ring", 4), settings, network)
    assert result.seconds == pytest.approx(10 * (2 * 0.01 + 2 * 0.005))
    # A request and a response each: 16 bytes of header and 4 numbers of 8 bytes.
    assert result.bytes == 10 * 2 * (16 + 4 * 8)


def test_losses_leave_half_committed_exchanges_which_heal_and_the_optimum_is_still_reached():
    posed = problem_of("mean", 6)
    settings = ConsensusSettings(penalty=0.5, budget=Budget(activations=4000), curve_every=1000)
    lossy = NetworkSettings(link=LinkSettings(delay=0.005, loss=0.3))
    result, _, net = agree(posed.local, graph_of("ring", 6), settings, lossy)
    counts = result.counts
    assert counts.activations == counts.completed + counts.given_up + counts.busy == 4000
    # Independent loss p: given up 1 - (1-p)^2 of the time, half-committed when only the answer is lost.
    for count, share in ((counts.given_up, 1 - 0.7**2), (counts.half_committed, 0.7 * 0.3)):
        assert abs(count - 4000 * share) < 4 * np.sqrt(4000 * share * (1 - share))
    assert 0 < counts.healed <= counts.half_committed
    assert net.ledger.snapshot()["messages_sent"] == 4000 + counts.completed + counts.half_committed
    # Exchanges on every link complete every now and then, and each heals its link: no bias is left.
    assert max(np.abs(s - posed.optimum).max() for s in result.signals) < 1e-3


def test_a_completed_exchange_leaves_opposite_z_and_equal_y():
    from testbed.consensus.edge_admm.agent import EdgeAgent

    generator = np.random.default_rng(3)
    posed = problem_of("least_squares", 2)
    agents = [EdgeAgent(q, posed.local[q], [(0, 1)], 0.7) for q in range(2)]
    for agent in agents:  # a half-committed state: nothing in it is consistent
        agent.z[0, 1] = generator.standard_normal(4)
        agent.y[0, 1] = generator.standard_normal(4)
        agent.solve()
    nu = agents[0].offer((0, 1)) + agents[1].offer((0, 1))
    for agent in agents:
        agent.commit((0, 1), nu)
    np.testing.assert_allclose(agents[0].z[0, 1] + agents[1].z[0, 1], 0, atol=1e-14)
    assert agents[0].y[0, 1].tobytes() == agents[1].y[0, 1].tobytes()


def test_the_same_seed_gives_the_same_trace_and_another_does_not():
    settings = ConsensusSettings(activation="poisson", activation_rate=20, budget=Budget(activations=150))
    lossy = NetworkSettings(link=LinkSettings(delay=0.01, jitter=0.004, loss=0.2))
    graph, local = graph_of("ring", 6), problem_of("mean", 6).local
    traces = []
    for seed in (5, 5, 6):
        _, _, net = agree(local, graph, settings, lossy, seed)
        assert net.trace is not None
        traces.append("\n".join(net.trace.lines()))
    assert traces[0] == traces[1] != traces[2]


def test_poisson_activations_overlap_and_converge():
    posed = problem_of("mean", 6)
    settings = ConsensusSettings(
        activation="poisson",
        activation_rate=10,
        penalty=0.5,
        budget=Budget(activations=4000),
        curve_every=1000,
    )
    network = NetworkSettings(link=LinkSettings(delay=0.02))
    result, _, _ = agree(posed.local, graph_of("ring", 6), settings, network)
    counts = result.counts
    assert counts.busy > 0
    assert counts.completed + counts.busy + counts.given_up == counts.activations == 4000
    assert counts.half_committed == 0
    # 4000 activations of 6 clocks at 10 Hz.
    assert result.seconds == pytest.approx(4000 / 60, rel=0.1)
    np.testing.assert_allclose(np.stack(result.signals), np.tile(posed.optimum, (6, 1)), atol=1e-8)


@pytest.mark.parametrize(
    ("budget", "column", "limit"),
    [
        (Budget(activations=37), "activations", 37),
        (Budget(activations=500, exchanges=20), "exchanges", 20),
        (Budget(activations=500, seconds=1.005), "seconds", 1.005),
    ],
)
def test_whichever_budget_is_reached_first_ends_the_agreement_exactly_there(budget, column, limit):
    lossy = NetworkSettings(link=LinkSettings(delay=0.01, loss=0.2))
    settings = ConsensusSettings(budget=budget)
    result, _, _ = agree(problem_of("mean", 6).local, graph_of("ring", 6), settings, lossy)
    assert result.curve[-1][column] == pytest.approx(limit, abs=1e-12)


def test_a_byte_budget_starts_no_exchange_once_it_is_spent():
    settings = ConsensusSettings(budget=Budget(bytes=1000))
    result, _, _ = agree(problem_of("mean", 6).local, graph_of("ring", 6), settings)
    per_exchange = 2 * (16 + 4 * 8)
    assert result.bytes == int(np.ceil(1000 / per_exchange)) * per_exchange


def test_a_tolerance_ends_at_the_first_row_below_it():
    settings = ConsensusSettings(penalty=0.5, budget=Budget(activations=5000, tolerance=1e-3))
    result, _, _ = agree(problem_of("mean", 6).local, graph_of("ring", 6), settings)
    disagreements = [row["relative_disagreement"] for row in result.curve]
    assert disagreements[-1] <= 1e-3
    assert all(d > 1e-3 for d in disagreements[2:-1])


def test_a_deadline_in_the_middle_of_an_exchange_counts_it_and_its_message():
    settings = ConsensusSettings(budget=Budget(activations=500, seconds=0.055))
    network = NetworkSettings(link=LinkSettings(delay=0.1))
    result, _, net = agree(problem_of("mean", 6).local, graph_of("ring", 6), settings, network)
    assert (result.counts.unfinished, result.late) == (1, 1)
    assert net.ledger.snapshot()["messages_late"] == 1


def test_a_link_that_is_down_is_waited_out_and_its_exchanges_given_up():
    from testbed.network import LinkFault

    network = NetworkSettings(faults=(LinkFault(link="0-1", down=0.0),))
    settings = ConsensusSettings(activation="round_robin", budget=Budget(activations=30), timeout=0.05)
    result, _, _ = agree(problem_of("mean", 6).local, graph_of("ring", 6), settings, network)
    assert result.counts.given_up == 5
    assert (0, 1) not in result.order


def test_an_agent_without_links_settles_on_its_own_optimum():
    import networkx as nx

    graph = nx.Graph()
    graph.add_nodes_from(range(3))
    graph.add_edge(0, 1)
    posed = problem_of("mean", 3)
    result, _, _ = agree(posed.local, graph, ConsensusSettings(budget=Budget(activations=200)))
    local: list[Any] = list(posed.local)
    np.testing.assert_allclose(result.signals[2], local[2].a)
    np.testing.assert_allclose(result.signals[0], (local[0].a + local[1].a) / 2, atol=1e-8)


def test_the_wrong_number_of_problems_is_refused():
    with pytest.raises(ValueError, match="problems: got 5, must be one for each of the 6 nodes"):
        agree(problem_of("mean", 5).local, graph_of("ring", 6), ConsensusSettings())


def test_a_budget_that_may_never_end_is_refused():
    for nothing in ({}, {"exchanges": 5}, {"tolerance": 0.1}):
        with pytest.raises(ValueError, match="an empty budget never ends"):
            Budget(**nothing)
