"""YAML as everything here reads it: the core schema of YAML 1.2, bounded, and plain data only.

Numbers are numbers as in YAML 1.2 (section 10.3.2): ``1e-3`` is one, ``017`` is seventeen, ``0o17`` fifteen,
``1:30`` and ``1_000`` are text. ``yes``, ``no``, ``on`` and ``off`` are text, so are dates. Of YAML 1.1 only
merge keys (``<<: *base``) are kept. No tag makes anything but text, numbers, true, false, null, lists and
mappings, no key is set twice, and all keys are text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.resolver import BaseResolver

MOST_CHARACTERS = 4_000_000
"""Largest size of a file."""
MOST_VALUES = 200_000
"""Largest number of nodes in a text; an alias counts as all that it stands for."""
MOST_LEVELS = 40
"""Deepest nesting of lists and mappings."""
LONGEST_SCALAR = 10_000
"""Characters of one text."""
LONGEST_NUMBER = 100
"""Characters of one number."""

_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
_SCALARS = {f"{_TAG}{kind}" for kind in ("null", "bool", "int", "float", "str")}

_CORE: list[tuple[str, str, Sequence[str]]] = [
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("merge", r"<<", "<"),
]
"""Kind, what it looks like, and the characters it may begin with, in the order in which they are tried."""


class YamlError(ValueError):
    """A text that is not YAML as it is read here.

    Attributes:
        line: counted from 1; None if it is about the whole.
    """

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(" ".join(reason.split()))
        self.line = line


try:
    from yaml._yaml import CParser as _Events  # libyaml, ten times as fast; every wheel of PyYAML has it
except ImportError:  # pragma: no cover

    class _Events(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser):  # type: ignore[no-redef]
        def __init__(self, text: str) -> None:
            yaml.reader.Reader.__init__(self, text)
            yaml.scanner.Scanner.__init__(self)
            yaml.parser.Parser.__init__(self)


_Base: Any = type(
    "_Base",
    (Composer, _Events, SafeConstructor, BaseResolver),
    {"yaml_implicit_resolvers": {}, "yaml_constructors": {}},  # nothing of YAML 1.1
)


class _Loader(_Base):  # type: ignore[misc]
    """Composes nodes while it counts them; an alias counts as all that it stands for."""

    def __init__(self, text: str) -> None:
        _Events.__init__(self, text)
        Composer.__init__(self)
        SafeConstructor.__init__(self)
        BaseResolver.__init__(self)
        self._level = 0
        self._sizes: dict[int, tuple[int, int]] = {}
        """By the identity of a node: values in it, itself included, and levels below and with it."""

    def compose_node(self, parent: Any, index: Any) -> yaml.Node:
        node: yaml.Node
        event = self.peek_event()
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            node = super().compose_node(parent, index)
            if id(node) not in self._sizes:
                raise YamlError(f"*{event.anchor} contains itself", line)
            return node
        if self._level == MOST_LEVELS:
            raise YamlError(_TOO_DEEP, line)
        if isinstance(event, yaml.ScalarEvent) and len(event.value) > LONGEST_SCALAR:
            raise YamlError(
                f"a text of {len(event.value):,} characters; must be at most {LONGEST_SCALAR:,}", line
            )
        self._level += 1
        node = super().compose_node(parent, index)
        self._level -= 1
        _check_tag(node, line)
        self._measure(node, line)
        return node

    def _measure(self, node: yaml.Node, line: int) -> None:
        parts: list[yaml.Node] = []
        if isinstance(node, yaml.SequenceNode):
            parts = node.value
        elif isinstance(node, yaml.MappingNode):
            _check_keys(node)
            parts = [part for item in node.value for part in item]
        sizes = [self._sizes[id(part)] for part in parts]
        values = 1 + sum(size for size, _ in sizes)
        levels = 1 + max((level for _, level in sizes), default=0)
        if values > MOST_VALUES:
            raise YamlError(f"more than {MOST_VALUES:,} values, including those that aliases stand for", line)
        if levels > MOST_LEVELS:
            raise YamlError(_TOO_DEEP, line)
        self._sizes[id(node)] = values, levels

    def construct_core_int(self, node: yaml.ScalarNode) -> int:
        return int(_number(node, "int"), {"0o": 8, "0x": 16}.get(node.value[:2], 10))

    def construct_core_float(self, node: yaml.ScalarNode) -> float:
        text = _number(node, "float").lower()
        return float(text.replace(".inf", "inf").replace(".nan", "nan"))

    def construct_core_bool(self, node: yaml.ScalarNode) -> bool:
        return _number(node, "bool").lower() == "true"


_TOO_DEEP = f"lists and mappings inside one another to more than {MOST_LEVELS} levels"


def _number(node: yaml.ScalarNode, kind: str) -> str:
    """The text of a scalar, which a tag may claim to be what it is not."""
    text: str = node.value
    line = node.start_mark.line + 1
    if kind != "bool" and len(text) > LONGEST_NUMBER:
        raise YamlError(f"a number of {len(text):,} characters; must be at most {LONGEST_NUMBER}", line)
    if not _FORMS[kind].fullmatch(text):
        raise YamlError(f"{text!r} is not of the kind !!{kind}", line)
    return text


_FORMS = {kind: re.compile(form) for kind, form, _ in _CORE}
for _kind, _form, _first in _CORE:
    _Loader.add_implicit_resolver(f"{_TAG}{_kind}", re.compile(rf"(?:{_form})\Z"), list(_first))
for _kind, _construct in {
    "null": SafeConstructor.construct_yaml_null,
    "bool": _Loader.construct_core_bool,
    "int": _Loader.construct_core_int,
    "float": _Loader.construct_core_float,
    "str": SafeConstructor.construct_yaml_str,
    "seq": SafeConstructor.construct_yaml_seq,
    "map": SafeConstructor.construct_yaml_map,
}.items():
    _Loader.add_constructor(f"{_TAG}{_kind}", _construct)


def _check_tag(node: yaml.Node, line: int) -> None:
    allowed = _SCALARS | {_MERGE}
    if isinstance(node, yaml.CollectionNode):
        allowed = {f"{_TAG}seq" if isinstance(node, yaml.SequenceNode) else f"{_TAG}map"}
    if node.tag not in allowed:
        tag = node.tag.replace(_TAG, "!!")
        what = "text, numbers, true, false, null, lists and mappings"
        raise YamlError(f"the tag {tag} has no meaning here: values are {what}", line)


def _check_keys(node: yaml.MappingNode) -> None:
    """YAML itself lets the last of two equal keys win, silently; and a key such as ``1`` is not text."""
    seen: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if key.tag == _MERGE:
            continue
        if key.tag != f"{_TAG}str":
            shown = repr(key.value) if isinstance(key, yaml.ScalarNode) else "that is a list or a mapping"
            raise YamlError(f"the key {shown} is not text; quote it", line)
        if key.value in seen:
            raise YamlError(f"{key.value} is set twice; first on line {seen[key.value]}", line)
        seen[key.value] = line


_PAIRS = re.compile(
    r"(?<!\\)(?P<before>(?:\\\\)*)"
    r"\\u(?P<high>[dD][89abAB][0-9a-fA-F]{2})\\u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})"
)
"""Surrogate pairs, by which JSON writes characters beyond U+FFFF and which libyaml does not read."""


def _one_letter(pair: re.Match[str]) -> str:
    halves = bytes.fromhex(pair["high"] + pair["low"])
    return pair["before"] + halves.decode("utf-16-be")


def read(text: str) -> tuple[yaml.Node | None, Any]:
    """The root of a text, with the lines of everything, and the plain data it stands for.

    An empty text has no root and is None.

    Raises:
        YamlError: it is not YAML, or larger or other than what this module reads.
    """
    if len(text) > MOST_CHARACTERS:
        raise YamlError(f"{len(text):,} characters; must be at most {MOST_CHARACTERS:,}")
    text = _PAIRS.sub(_one_letter, text)
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            return node, None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlError(
            f"not valid YAML: {error.problem or error.context}", None if mark is None else mark.line + 1
        ) from error
    except yaml.reader.ReaderError as error:
        at = error.position  # of bytes in UTF-8, in libyaml
        line = text.encode("utf-8", "replace")[:at].count(b"\n") + 1
        raise YamlError(f"not valid YAML: {error.reason}: {chr(error.character)!r}", line) from error
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise YamlError(f"not valid YAML: the character {text[error.start]!r}", line) from error


def load(text: str) -> Any:
    """The plain data that a text stands for. Raises YamlError as `read` does."""
    return read(text)[1]


class _Dumper(yaml.SafeDumper):
    """Quotes every text that YAML 1.1 or 1.2 would read as something else."""


for _kind, _form, _first in _CORE:
    _Dumper.add_implicit_resolver(f"{_TAG}{_kind}", re.compile(rf"(?:{_form})\Z"), list(_first))


def dump(data: Any, *, width: int = 100, ascii_only: bool = False) -> str:
    """Plain data as YAML in the order in which it is, which reads as the same data in YAML 1.1 and 1.2."""
    text = _dump(data, width, allow_unicode=not ascii_only)
    # PyYAML writes some of the line ends of Unicode as they are where they do not read back.
    return text if text.isascii() or not _LINE_ENDS.search(text) else _dump(data, width, allow_unicode=False)


_LINE_ENDS = re.compile("[\x85\u2028\u2029]")


def _dump(data: Any, width: int, *, allow_unicode: bool) -> str:
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=allow_unicode, width=width)
    return text
