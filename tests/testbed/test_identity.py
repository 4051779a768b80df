"""Names that last."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from studies.docgen import format_record
from testbed import identity
from testbed.common.settings import Settings
from testbed.common.units import Seconds
from testbed.consensus.problems.registry import PROBLEMS
from testbed.consensus.settings import ConsensusSettings
from testbed.environments import ENVIRONMENTS
from testbed.identity import canonical, differing, digest, essence
from testbed.network.impairments.link_settings import LinkSettings
from testbed.training.learners import LEARNERS

scalars = st.sampled_from([None, True, False, 0, 1, -7, 0.0, 1.0, 0.5, 1e300, "", "a", "é", "1"])
plain = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("abc"), inner), max_leaves=4
)
contents = st.dictionaries(st.sampled_from("abc"), plain).map(lambda found: {"content": found})


def shuffled(data):
    if isinstance(data, dict):
        return {key: shuffled(value) for key, value in reversed(data.items())}
    return [shuffled(value) for value in data] if isinstance(data, list) else data


@settings(max_examples=25, deadline=None)
@given(contents)
def test_the_order_of_keys_does_not_matter(content):
    assert digest(content) == digest(shuffled(content))
    assert json.loads(canonical(content)) == content


@settings(max_examples=25, deadline=None)
@given(contents, contents)
def test_other_content_has_another_name(one, other):
    assert (digest(one) == digest(other)) == (canonical(one) == canonical(other))


def test_a_known_name_stays_what_it_is():
    assert digest({"a": 1, "b": [0.5, "x"]}) == "d49c9cdd3ad72fb0"


def test_infinities_are_refused():
    with pytest.raises(ValueError, match="JSON"):
        digest({"a": float("inf")})


def test_the_defaults_of_the_format_are_those_of_the_code():
    """If this fails for a new setting, run `python -m studies.docgen.pages`; for another, raise FORMAT."""
    assert identity.extended(format_record.now()) == identity.record()


def test_a_changed_default_needs_another_format(monkeypatch):
    now = format_record.now()
    now["defaults"]["ConsensusSettings"]["penalty"] = 2.0
    with pytest.raises(ValueError, match=r"ConsensusSettings\.penalty: .* raise FORMAT"):
        identity.extended(now)
    assert identity.extended({**now, "format": identity.FORMAT + 1}) == {**now, "format": identity.FORMAT + 1}


def test_a_new_default_is_added_and_nothing_else_changes():
    now = format_record.now()
    now["defaults"]["ConsensusSettings"]["colour"] = "red"
    extended = identity.extended(now)
    assert extended["defaults"]["ConsensusSettings"].pop("colour") == "red"
    assert extended == identity.record()


def test_settings_with_another_default_than_the_format_has_are_told_apart():
    class Changed(ConsensusSettings):
        penalty: float = 2.0

    assert essence(Changed(penalty=1.0)) == essence(ConsensusSettings()) == {}
    assert essence(Changed()) == {"penalty": 2.0}


def test_a_setting_that_is_not_recorded_counts_by_its_own_default():
    class Wider(LinkSettings):
        colour: str = "red"
        patience: Seconds = Field(default="5ms")
        inner: ConsensusSettings = ConsensusSettings()

    assert essence(Wider(delay="1ms")) == essence(LinkSettings(delay="1ms")) == {"delay": 0.001}
    assert essence(Wider(colour="blue", patience=0.005)) == {"colour": "blue"}


@pytest.fixture
def recorded(monkeypatch):
    """Puts another record in the place of the format's."""

    def recorded(content):
        monkeypatch.setattr(identity, "record", lambda: content)
        identity.always.cache_clear()
        identity.default.cache_clear()

    yield recorded
    identity.always.cache_clear()
    identity.default.cache_clear()


@pytest.mark.parametrize("registry", [ENVIRONMENTS, LEARNERS, PROBLEMS], ids=lambda each: each.kind)
def test_names_stay_when_a_setting_with_a_default_is_added_to_what_a_registry_has(registry, recorded):
    now = identity.record()
    for name, kind in registry.builtin().items():
        settings = kind(**({"pettingzoo": "mpe2.simple_spread_v3"} if name == "pettingzoo" else {}))
        recorded(now)
        before = essence(settings)
        assert before["name"] == name
        for added in now["defaults"][kind.__name__]:
            older = copy.deepcopy(now)
            del older["defaults"][kind.__name__][added]
            recorded(older)
            assert essence(settings) == before, added


def test_what_must_be_given_stays_in_the_name_when_it_gets_a_default():
    class Before(Settings):
        kind: int

    recorded = {"format": identity.FORMAT, "always": {"Before": ["kind"]}, "defaults": {}}

    class After(Before):
        kind: int = 3

    assert identity.always(Before, "kind")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identity, "record", lambda: recorded)
        assert differing(After()) == {"kind": 3}


def test_what_is_neither_settings_nor_plain_has_no_name():
    with pytest.raises(TypeError, match="cannot be part of a name"):
        essence(object())
