"""YAML 1.2's core schema, within bounds, and plain data only."""

import math

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.common import yaml_text
from testbed.common.yaml_text import YamlError, dump, load, read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("1e-3", 0.001), ("1E3", 1000.0), ("1e6", 1e6), (".5", 0.5), ("5.", 5.0), ("-.5e1", -5.0)),
        *(("017", 17), ("0o17", 15), ("0x1F", 31), ("+3", 3), ("-0", 0), ("09", 9)),
        *(("1:30", "1:30"), ("1_000", "1_000"), ("0b11", "0b11"), ("0O17", "0O17"), ("-0x1", "-0x1")),
        *(("yes", "yes"), ("No", "No"), ("on", "on"), ("off", "off"), ("y", "y"), ("tRUE", "tRUE")),
        *(("true", True), ("FALSE", False), ("~", None), ("Null", None), ("", None), ("nUll", "nUll")),
        *(("2024-01-01", "2024-01-01"), ("2024-13-45", "2024-13-45"), ("=", "="), ("٤", "٤")),
        *((".inf", math.inf), ("-.INF", -math.inf), ("1e400", math.inf), ("inf", "inf"), ("nan", "nan")),
        *(("!!str 5", "5"), ("!!int '5'", 5), ("!!float 3", 3.0), ("'1e3'", "1e3")),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text, value):
    loaded = load(f"a: {text}")["a"]
    assert (loaded, type(loaded)) == (value, type(value))
    assert load(text) == value


def test_not_a_number_is_a_number():
    assert math.isnan(load(".nan"))


BOMB = "a: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"b{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 8)
)
MERGES = "a0: &a0 {k: 1, l: 2}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{','.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 8)
)
CHAIN = "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 99))


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (BOMB, 6, "more than 200,000 values"),
        (MERGES, 6, "more than 200,000 values"),
        (CHAIN, 40, "to more than 40 levels"),
        ("a:\n  " + "[" * 41 + "]" * 41, 2, "to more than 40 levels"),
        ("a: &a [*a]", 1, "*a contains itself"),
        ("a: &a {b: {c: *a}}", 1, "*a contains itself"),
        ("a: " + "9" * 5000, 1, "a number of 5,000 characters"),
        ("a: 0x" + "f" * 5000, 1, "a number of 5,002 characters"),
        ("a: 0." + "1" * 5000, 1, "a number of 5,002 characters"),
        ("\na: " + "x" * 10_001, 2, "a text of 10,001 characters"),
        ("x" * 10_001 + ": 1", 1, "a text of 10,001 characters"),
        ("#" * 4_000_001, None, "4,000,001 characters"),
        *(
            (f"\na: {tag} x", 2, f"the tag {tag}")
            for tag in ("!!binary", "!!timestamp", "!!python/name:os", "!x")
        ),
        *((f"a: {tag} {{x: 1}}", 1, f"the tag {tag}") for tag in ("!!set", "!!omap", "!!str", "!!seq")),
        ("a: !!int foo", 1, "'foo' is not of the kind !!int"),
        ("a: !!bool yes", 1, "'yes' is not of the kind !!bool"),
        ("a: 1\nb: 2\na: 3", 3, "a is set twice; first on line 1"),
        ("null: 1", 1, "the key 'null' is not text; quote it"),
        ("1e3: 1", 1, "the key '1e3' is not text; quote it"),
        ("? [a]\n: 1", 1, "not text; quote it"),
        ("a: {<<: 3}", 1, "not valid YAML"),
        ("a: \x07", 1, "not valid YAML"),
        ("a: 1\nb: \x07", 2, "not valid YAML"),
        ("a: \ud800", 1, "not valid YAML"),
        ("a: *b", 1, "not valid YAML"),
        ("\ta: 1", 1, "not valid YAML"),
        ("--- a\n--- b", 2, "not valid YAML"),
    ],
)
def test_what_is_not_plain_and_small_is_refused_with_its_line(text, line, reason):
    with pytest.raises(YamlError) as caught:
        load(text)
    assert caught.value.line == line
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_work_does_not_grow_with_what_aliases_stand_for(monkeypatch):
    composed = []
    original = yaml_text._Loader._measure
    monkeypatch.setattr(
        yaml_text._Loader, "_measure", lambda self, *rest: composed.append(1) or original(self, *rest)
    )
    with pytest.raises(YamlError):
        load(BOMB)
    assert len(composed) < len(BOMB)


def test_anchors_and_merge_keys_work():
    text = "base: &b {x: 1, y: 2}\nlist: [*b, *b]\nmine: {<<: *b, y: 3}\nboth: {<<: [*b, {z: 4}]}\n"
    assert load(text) == {
        "base": {"x": 1, "y": 2},
        "list": [{"x": 1, "y": 2}] * 2,
        "mine": {"x": 1, "y": 3},
        "both": {"x": 1, "y": 2, "z": 4},
    }


@pytest.mark.parametrize(
    "text", ["\ufeffa: 1\r\nb: [x]\r\n", "%YAML 1.2\n---\na: 1\nb: [x]\n...\n", "a: 1\nb:\n- x"]
)
def test_other_editors_files_are_read(text):
    node, data = read(text)
    assert data == {"a": 1, "b": ["x"]}
    assert node is not None


_PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from(
        ["yes", "1e3", "0o7", "017", "1:30", "2024-01-01", "~", "<<", "=", "null", ".inf", "1_0"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60)
@given(_PLAIN)
def test_what_is_dumped_reads_the_same_in_yaml_1_1_and_1_2(data):
    written = dump(data)
    assert load(written) == data == yaml.safe_load(written)
