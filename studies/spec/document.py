"""A YAML file that remembers on which line each of its values was written.

Values are addressed by a tuple of keys, ``("network", "link", "loss")``, written ``network.link.loss`` for
people. Every part that is put on top of the file (a value of the grid, a quick form, ``--set`` on the command
line) brings its own place along, so that an error always points at what has to be changed.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import yaml

from testbed.common import yaml_text

Keys = tuple[str | int, ...]

MOST_PROBLEMS = 20
"""Maximum number of problems printed; the rest are counted."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a study.

    Attributes:
        place: where it is written, such as ``study.yaml:3`` or ``--set``.
        keys: keys of the invalid value.
        reason: the fault, and what is allowed.
        value: the value as shown to people; None: it is not shown.
    """

    place: str
    keys: Keys
    reason: str
    value: str | None = None

    def __str__(self) -> str:
        what = f"{dotted(self.keys)}{'' if self.value is None else f' = {self.value}'}: " if self.keys else ""
        return one_line(f"{self.place}: {_short(what)}{_short(self.reason, 600)}")


class StudyError(ValueError):
    """A study that cannot be run.

    The message has one line for each thing that is wrong: place, field, value, what is allowed.

    Attributes:
        problems: the same as data, as far as it is about values of the study.
    """

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> StudyError:
        """A StudyError with all of the problems, without duplicates."""
        found = list({str(problem): problem for problem in problems}.values())
        lines = [str(problem) for problem in found[:MOST_PROBLEMS]]
        if more := len(found) - MOST_PROBLEMS:
            lines += [f"... and {more} more"] if more > 0 else []
        return cls("\n".join(lines), found)


def _short(text: str, most: int = 200) -> str:
    return text if len(text) <= most else f"{text[: most - 5]}... "


def one_line(text: str) -> str:
    """Text on one line, with control characters escaped."""
    words = " ".join(text.split())
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in words)


def shown(value: object) -> str:
    """A value on one line, short enough to read."""
    words = json.dumps(value) if value is None or isinstance(value, bool) else repr(value)
    text = one_line(words)
    return text if len(text) <= 60 else f"{text[:57]}..."


def dotted(keys: Keys) -> str:
    """``("network", "faults", 0, "link")`` as ``network.faults.0.link``."""
    return ".".join(str(key) for key in keys)


_INDEX = re.compile("0|[1-9][0-9]{0,5}")
"""Placeholder for an item of a list in a dotted path."""


def split(path: str, place: str) -> Keys:
    """The keys of a dotted path; what follows ``vary.`` is one key, because that is how grids are written."""
    parts = path.split(".")
    if not all(parts):
        raise StudyError(f"{place}: {path!r} is not a dotted path such as network.link.loss")
    if parts[0] == "vary" and len(parts) > 1:
        return ("vary", ".".join(parts[1:]))
    return tuple(int(part) if _INDEX.fullmatch(part) else part for part in parts)


@dataclass
class Document:
    """Plain data with the place (``file:line`` or ``--set``) where each value was written.

    Attributes:
        data: nested dicts, lists and scalars.
        places: keys -> place, for every value.
        source: name of the whole document in errors.
        folder: base of relative file names in the data.
    """

    data: dict[str, Any]
    places: dict[Keys, str] = field(default_factory=dict)
    source: str = "study"
    folder: Path = field(default_factory=Path.cwd)

    def place(self, keys: Keys) -> str:
        """The place where the value at ``keys``, or else the nearest enclosing value, was written."""
        for length in range(len(keys), 0, -1):
            if keys[:length] in self.places:
                return self.places[keys[:length]]
        return self.source

    def copy(self, leaving_out: Collection[str] = ()) -> Document:
        """An independent copy, perhaps without some keys of the top."""
        data = {key: copy.deepcopy(value) for key, value in self.data.items() if key not in leaving_out}
        places = {keys: place for keys, place in self.places.items() if keys[0] not in leaving_out}
        return Document(data, places, self.source, self.folder)

    def sub_places(self, sources: Collection[Keys]) -> dict[Keys, dict[Keys, str]]:
        """For each of the keys, the places of all values at and below it, relative to it; in one pass."""
        found: dict[Keys, dict[Keys, str]] = {keys: {(): self.place(keys)} for keys in sources}
        lengths = {len(keys) for keys in sources}
        for path, place in self.places.items():
            for length in lengths:
                if (inner := found.get(path[:length])) is not None and len(path) >= length:
                    inner[path[length:]] = place
        return found

    def put(self, keys: Keys, value: Any, places: Mapping[Keys, str]) -> None:
        """Sets one value, creating what encloses it.

        Args:
            keys: where; must not be empty.
            value: plain data; copied.
            places: where it and its parts were written, relative to it; ``()`` must be there.

        Raises:
            StudyError: an enclosing value cannot hold keys.
        """
        container: Any = self.data
        for depth, key in enumerate(keys[:-1]):
            inner = _get(container, key)
            if inner is None:
                if isinstance(keys[depth + 1], int):
                    outer = dotted(keys[: depth + 1])
                    raise StudyError(f"{places[()]}: {dotted(keys)}: {outer} has no items; set all of it")
                inner = {}
                self.places[keys[: depth + 1]] = places[()]
            elif isinstance(inner, str):
                inner = {"name": inner}  # `topology: ring` is short for `topology: {name: ring}`
            elif not isinstance(inner, dict | list):
                outer = dotted(keys[: depth + 1])
                raise StudyError(f"{places[()]}: {dotted(keys)}: {outer} is {inner!r}, which has no keys")
            _set(container, key, inner, f"{places[()]}: {dotted(keys)}")
            container = inner
        _set(container, keys[-1], copy.deepcopy(value), f"{places[()]}: {dotted(keys)}")
        size = len(keys)
        for path in [path for path in self.places if path[:size] == keys]:
            del self.places[path]
        self.places.update({keys + path: place for path, place in places.items()})


def _get(container: Any, key: str | int) -> Any:
    if isinstance(container, list):
        return container[key] if isinstance(key, int) and key < len(container) else None
    return container.get(key, container.get(str(key)))


def _set(container: Any, key: str | int, value: Any, context: str) -> None:
    if not isinstance(container, list):
        container[str(key)] = value
    elif isinstance(key, int) and key < len(container):
        container[key] = value
    else:
        raise StudyError(f"{context}: {key!r} is not an index into a list of {len(container)}")


def read_text(path: Path, *, what: str) -> str:
    """The text of a file.

    Raises:
        StudyError: it is missing, not a file, too large, or not text.
    """
    try:
        with path.open("rb") as file:
            content = file.read(4 * yaml_text.MOST_CHARACTERS + 1)
        if len(content) > 4 * yaml_text.MOST_CHARACTERS:  # no character takes more than four bytes
            raise StudyError(f"{path}: cannot read the {what}: larger than {len(content) // 10**6} MB")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise StudyError(f"{path}: cannot read the {what}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        reason = f"not a text file in UTF-8 (line {line})"
        raise StudyError(f"{path}: cannot read the {what}: {reason}") from error


def parse(text: str, source: str, folder: Path) -> Document:
    """Parses YAML, as :mod:`testbed.common.yaml_text` reads it.

    Raises:
        StudyError: the YAML is malformed or too large, has a key twice, or is not a mapping with text keys.
    """
    try:
        node, data = yaml_text.read(text)
    except yaml_text.YamlError as error:
        place = source if error.line is None else f"{source}:{error.line}"
        raise StudyError(f"{place}: {error}") from error
    if node is None or not isinstance(data, dict):
        raise StudyError(f"{source}:1: a study is a mapping of keys to values, such as `workload: problem`")
    return Document(data, dict(_places(node, (), source)), source, folder)


def parse_assignment(text: str) -> tuple[str, Any]:
    """``network.link.loss=0.1`` as its dotted path and its value; the value is read as YAML.

    Raises:
        StudyError: there is no ``=``, or the value is not YAML.
    """
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise StudyError(
            f"--set {one_line(_short(text))}: write it as a.b=value, for example network.link.loss=0.1"
        )
    try:
        return path.strip(), yaml_text.load(value)
    except yaml_text.YamlError as error:
        what = one_line(_short(path.strip()))
        raise StudyError(f"--set {what} = {shown(value)}: {error}") from error


def plain(data: Any, source: str, keys: Keys = ()) -> Any:
    """A copy of data that was not read from a file, as a file would have it: tuples and arrays become lists.

    Raises:
        StudyError: it has values that no study file can have, such as a graph, or keys that are not text.
    """
    import networkx as nx  # here, because the command line needs this module even to complete a word
    import numpy as np

    where = f"{source}: {dotted(keys)}" if keys else source
    if len(keys) > yaml_text.MOST_LEVELS:
        levels = f"{yaml_text.MOST_LEVELS} levels"
        raise StudyError(f"{source}: {keys[0]}: lists and mappings are nested deeper than {levels}")
    if isinstance(data, np.ndarray | np.generic):
        data = data.tolist()
    if isinstance(data, PathLike):
        data = str(data)
    if isinstance(data, Mapping):
        for key in data:
            if not isinstance(key, str):
                raise StudyError(f"{where}: the key {shown(key)} is not text")
        return {str(key): plain(value, source, (*keys, key)) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [plain(value, source, (*keys, index)) for index, value in enumerate(data)]
    if data is None or isinstance(data, bool):
        return data
    if isinstance(data, str) and any("\ud800" <= letter <= "\udfff" for letter in data):
        raise StudyError(f"{where}: {data!a} contains an unpaired surrogate, \\uD800 to \\uDFFF")
    for kind in (str, int, float):
        if isinstance(data, kind):
            return kind(data)
    hint = "; testbed.workloads.run takes a graph that is in no file" if isinstance(data, nx.Graph) else ""
    raise StudyError(
        f"{where}: got {type(data).__name__}, must be a mapping, a list, text, a number, true, false or null"
        f"{hint}"
    )


def _places(node: yaml.Node, keys: Keys, source: str) -> Iterator[tuple[Keys, str]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = key.value
            yield (*keys, name), f"{source}:{key.start_mark.line + 1}"
            yield from _places(value, (*keys, name), source)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*keys, index), f"{source}:{value.start_mark.line + 1}"
            yield from _places(value, (*keys, index), source)
