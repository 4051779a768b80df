"""Whatever the network does: completed exchanges leave a consistent link, and the others are counted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import topologies
from testbed.consensus.edge_admm.algorithm import EdgeADMM, _EdgeAgreement
from testbed.consensus.problems.mean import MeanSettings
from testbed.consensus.settings import ConsensusSettings
from testbed.network import Network, NetworkSettings, Streams


class CheckedAgreement(_EdgeAgreement):
    """Looks at both ends, as no agent can, after every completed exchange and at the end."""

    checked = 0

    def inconsistent(self, link):
        """The coordinates at which z_i + z_j = 0 or y_i = y_j does not hold."""
        one, two = (self.agents[q] for q in link)
        apart = np.abs(one.z[link] + two.z[link]) > 1e-9
        return np.flatnonzero(apart | (np.abs(one.y[link] - two.y[link]) > 1e-9))

    def _completed(self, exchange):
        self.checked += 1
        assert not np.intersect1d(self.inconsistent(exchange.link), self._about(exchange)).size
        super()._completed(exchange)

    def cut_off(self):
        """Every inconsistency is known as a half-committed exchange, or as one that was cut off."""
        known = {link: set(about) for link, about in self.half.items()}
        for exchange in self.under_way:
            if exchange.responded:
                known.setdefault(exchange.link, set()).update(self._about(exchange))
        for link in self.links:
            assert set(self.inconsistent(link)) <= known.get(link, set()), link
        super().cut_off()


class ForgetfulAgreement(CheckedAgreement):
    """A planted bug: half-committed exchanges are forgotten."""

    def _half_committed(self, exchange):
        self.counts.half_committed += 1


class CarelessAgreement(CheckedAgreement):
    """A planted bug: a request that comes again is solved and committed again."""

    def _requested(self, exchange, offer, message):
        exchange.received = False
        super()._requested(exchange, offer, message)


def agree(kind, link, seed=0, faults=(), **chosen):
    streams = Streams(seed)
    network = Network(
        topologies.make("erdos_renyi", 6, seed=seed, p=0.5),
        NetworkSettings.model_validate({"link": link, "faults": list(faults)}),
        streams,
    )
    budget = {"activations": 150, "seconds": 20}
    algorithm = EdgeADMM(
        network, ConsensusSettings.model_validate({"budget": budget, "curve_every": 50} | chosen), streams
    )
    posed = MeanSettings(agents=6, dimension=6).make(streams)
    agreement = kind(algorithm, posed.local, None, None)
    result = agreement.run()
    network.ledger.check()
    counts = result.counts
    assert counts.activations == (
        counts.completed + counts.given_up + counts.busy + counts.unfinished + counts.down
    )
    return agreement, result


links = st.fixed_dictionaries(
    {
        "delay": st.sampled_from([0, 0.004, 0.05]),
        "jitter": st.sampled_from([0, 0.004, 0.1]),
        "loss": st.sampled_from([0, 0.2, 0.6]),
        "duplicate": st.sampled_from([0, 0.3, 1.0]),
    }
)
crashes = st.lists(
    st.fixed_dictionaries(
        {
            "fault": st.just("crash"),
            "agent": st.integers(0, 5),
            "down": st.floats(0, 3),
            "up": st.floats(3.1, 6),
            "in_flight": st.sampled_from(["drop", "deliver"]),
        }
    ),
    max_size=2,
    unique_by=lambda fault: fault["agent"],
)


@settings(deadline=None)
@given(
    link=links,
    faults=crashes,
    seed=st.integers(0, 1000),
    activation=st.sampled_from(["sequential", "poisson", "gossip"]),
    timeout=st.sampled_from([0.03, 0.3, None]),
    subset=st.sampled_from([1.0, 0.5]),
    codec=st.sampled_from([None, "int8"]),
    when_busy=st.sampled_from(["refuse", "wait_by_age", "wait_by_number"]),
)
def test_a_completed_exchange_leaves_a_consistent_link_whatever_happens(link, faults, seed, **chosen):
    agreement, result = agree(CheckedAgreement, link, seed, faults, activation_rate=8, **chosen)
    assert agreement.checked == result.counts.completed


LOSSY = {"delay": 0.01, "loss": 0.4}


@pytest.mark.parametrize(
    ("kind", "link"),
    [(ForgetfulAgreement, LOSSY), (CarelessAgreement, {"delay": 0.01, "jitter": 0.05, "duplicate": 1.0})],
)
def test_planted_bugs_are_caught(kind, link):
    agree(CheckedAgreement, link, activation="poisson", timeout=0.2)
    with pytest.raises(AssertionError):
        agree(kind, link, activation="poisson", timeout=0.2)
