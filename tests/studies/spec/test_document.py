"""YAML that remembers its lines."""

from pathlib import Path

import pytest

from studies.spec.document import StudyError, parse, parse_assignment, split

TEXT = """\
workload: problem
network:
  link:
    loss: 0.1
  faults:
    - {link: 0-1, down: 2s}
    - link: 1-2
      down: 3s
"""


def document(text=TEXT):
    return parse(text, "a.yaml", Path())


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("workload",), 1),
        (("network", "link", "loss"), 4),
        (("network", "link", "delay"), 3),  # not there: the mapping it would be in
        (("network", "faults", 0, "down"), 6),
        (("network", "faults", 1, "down"), 8),
    ],
)
def test_every_value_knows_its_line(keys, line):
    assert document().place(keys) == f"a.yaml:{line}"


def test_what_was_never_written_is_somewhere_in_the_file():
    assert document().place(("vary",)) == "a.yaml"


def test_a_value_that_is_put_on_top_brings_its_place_along():
    changed = document()
    changed.put(("network", "link"), {"loss": 2}, {(): "--set", ("loss",): "b.yaml:7"})
    assert changed.data["network"]["link"] == {"loss": 2}
    assert changed.place(("network", "link", "loss")) == "b.yaml:7"
    assert changed.place(("network", "link", "delay")) == "--set"


def test_putting_creates_what_encloses_the_value():
    changed = document()
    changed.put(("a", "b", "c"), 1, {(): "--set"})
    changed.put(("network", "faults", 1, "up"), "4s", {(): "--set"})
    assert changed.data["a"] == {"b": {"c": 1}}
    assert changed.data["network"]["faults"][1] == {"link": "1-2", "down": "3s", "up": "4s"}


def test_a_bare_name_becomes_a_mapping_when_a_key_is_put_into_it():
    changed = document("topology: ring\n")
    changed.put(("topology", "seed"), 3, {(): "--set"})
    assert changed.data["topology"] == {"name": "ring", "seed": 3}


def test_a_number_cannot_hold_keys():
    with pytest.raises(StudyError, match=r"--set: a\.b: a is 1, which has no keys"):
        document("a: 1\n").put(("a", "b"), 2, {(): "--set"})


def test_a_list_has_no_such_item():
    with pytest.raises(StudyError, match="7 is not an index into a list of 2"):
        document().put(("network", "faults", 7, "up"), 2, {(): "--set"})


def test_a_copy_shares_nothing():
    original = document()
    original.copy().put(("network", "link", "loss"), 0.9, {(): "--set"})
    assert original.data["network"]["link"]["loss"] == 0.1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "a.yaml:3: a is set twice; first on line 1"),
        ("a: [1, 2\nb: 3\n", "a.yaml:2: not valid YAML"),
        ("a:\n\tb: 1\n", "a.yaml:2: not valid YAML"),
        ("a: &x {b: 1}\nc: *y\n", "a.yaml:2: not valid YAML"),
        ("1: 2\n", "a.yaml:1: the key '1' is not text"),
        ("- a\n", "a.yaml:1: a study is a mapping"),
        ("", "a.yaml:1: a study is a mapping"),
        ("a: !!python/object/apply:os.system [ls]\n", "a.yaml:1: the tag !!python/object/apply:os.system"),
    ],
)
def test_what_is_not_a_mapping_in_yaml_is_refused_with_its_line(text, message):
    with pytest.raises(StudyError) as caught:
        document(text)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_anchors_and_merges_keep_lines():
    merged = document("a: &base\n  x: 1\nb:\n  <<: *base\n  y: 2\n")
    assert merged.data["b"] == {"x": 1, "y": 2}
    assert merged.place(("b", "x")) == "a.yaml:2"
    assert merged.place(("b", "y")) == "a.yaml:5"


def test_assignments_are_read_as_yaml():
    assert parse_assignment("a.b=0.5") == ("a.b", 0.5)
    assert parse_assignment("vary.topology=[ring, star]") == ("vary.topology", ["ring", "star"])
    assert parse_assignment("a=") == ("a", None)


@pytest.mark.parametrize("text", ["a.b", "=3", "a=[1", ""])
def test_a_malformed_assignment_is_refused(text):
    with pytest.raises(StudyError, match="--set"):
        parse_assignment(text)


def test_a_path_below_vary_is_one_key():
    assert split("vary.network.link.loss", "") == ("vary", "network.link.loss")
    assert split("network.faults.0.up", "") == ("network", "faults", 0, "up")
    with pytest.raises(StudyError, match="not a dotted path"):
        split("a..b", "here")
