"""The names of trials."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studies.hashing import canonical, digest
from studies.loading import load

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)
specs = st.dictionaries(st.text(), plain)


def shuffled(data):
    if isinstance(data, dict):
        return {key: shuffled(value) for key, value in reversed(data.items())}
    return [shuffled(value) for value in data] if isinstance(data, list) else data


@settings(max_examples=25)
@given(specs)
def test_the_order_of_keys_does_not_matter(spec):
    assert digest(spec, {}) == digest(shuffled(spec), {})
    assert json.loads(canonical(spec)) == spec


@settings(max_examples=25)
@given(specs, specs)
def test_other_content_has_another_hash(one, other):
    assert (digest(one, {}) == digest(other, {})) == (canonical(one) == canonical(other))


def test_a_known_hash_stays_what_it_is():
    assert digest({"a": 1, "b": [0.5, "x"]}, {}) == "6499794ebc3144ea"


def test_infinities_are_refused():
    with pytest.raises(ValueError, match="JSON"):
        digest({"a": float("inf")}, {})


def test_a_file_counts_by_what_is_in_it_not_by_where_it_is(tmp_path):
    for name, text in (("a", "0 1"), ("b", "0 1"), ("c", "0 2")):
        (tmp_path / name).write_text(text)
    a, b, c = (digest({"t": {"file": name}}, {"t.file": tmp_path / name}) for name in "abc")
    assert a == b != c


def test_writing_a_default_out_or_spelling_a_value_otherwise_changes_no_hash(write):
    text = "workload: problem\nproblem: {name: mean, agents: 4}\nnetwork: {link: {delay: 5ms}}\n"
    spelt = (
        text.replace("5ms", "0.005, loss: 0")
        + "topology: {name: ring, seed: 0}\nquestion: Why?\nseeds: [0]\n"
    )
    assert load(str(write(text))).trials[0].hash == load(str(write(spelt))).trials[0].hash


@pytest.mark.parametrize(
    "change", ["network.link.loss=0.1", "seeds=[1]", "problem.agents=5", "topology=star"]
)
def test_every_setting_enters_the_hash(write, change):
    text = "workload: problem\nproblem: {name: mean, agents: 4}\n"
    path = str(write(text))
    assert load(path).trials[0].hash != load(path, overrides=[change]).trials[0].hash
