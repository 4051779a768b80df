"""A YAML file that remembers on which line each of its values was written.

Values are addressed by a tuple of keys, ``("network", "link", "loss")``, written ``network.link.loss`` for
people. Every part that is put on top of the file (a value of the grid, a quick form, ``--set`` on the command
line) brings its own place along, so that an error always points at what has to be changed.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Keys = tuple[str | int, ...]


class StudyError(ValueError):
    """A study that cannot be run. The message is one line: place, field, value, what is allowed."""


def dotted(keys: Keys) -> str:
    """``("network", "faults", 0, "link")`` as ``network.faults.0.link``."""
    return ".".join(str(key) for key in keys)


def split(path: str, place: str) -> Keys:
    """The keys of a dotted path; what follows ``vary.`` is one key, because that is how grids are written."""
    parts = path.split(".")
    if not all(parts):
        raise StudyError(f"{place}: {path!r} is not a dotted path such as network.link.loss")
    if parts[0] == "vary" and len(parts) > 1:
        return ("vary", ".".join(parts[1:]))
    return tuple(int(part) if part.isdigit() else part for part in parts)


@dataclass
class Document:
    """Plain data with the place (``file:line`` or ``--set``) where each value was written.

    Attributes:
        data: nested dicts, lists and scalars.
        places: keys -> place, for every value.
        source: what to call the whole in an error.
        folder: relative file names in the data are relative to it.
    """

    data: dict[str, Any]
    places: dict[Keys, str] = field(default_factory=dict)
    source: str = "study"
    folder: Path = field(default_factory=Path.cwd)

    def place(self, keys: Keys) -> str:
        """Where the value at ``keys`` was written, or else the nearest value that encloses it."""
        for length in range(len(keys), 0, -1):
            if keys[:length] in self.places:
                return self.places[keys[:length]]
        return self.source

    def copy(self) -> Document:
        """An independent copy."""
        return Document(copy.deepcopy(self.data), dict(self.places), self.source, self.folder)

    def sub_places(self, keys: Keys) -> dict[Keys, str]:
        """The places of everything at and below ``keys``, relative to it."""
        size = len(keys)
        return {path[size:]: place for path, place in self.places.items() if path[:size] == keys}

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
                inner = {}
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
        StudyError: it is missing, not a file, or not text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        raise StudyError(f"{path}: cannot read the {what}: {reason}") from error


def parse(text: str, source: str, folder: Path) -> Document:
    """Parses YAML.

    Raises:
        StudyError: the YAML is malformed, has a key twice, or is not a mapping with text keys.
    """
    try:
        loader = yaml.SafeLoader(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise StudyError(
            f"{source}:{line}: not valid YAML: {error.reason}: {chr(error.character)!r}"
        ) from error
    try:
        node = loader.get_single_node()
        _refuse_twice(node, source)
        data = None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = source if mark is None else f"{source}:{mark.line + 1}"
        raise StudyError(f"{where}: not valid YAML: {error.problem or error.context}") from error
    except StudyError:
        raise
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise StudyError(f"{source}: not valid YAML: {' '.join(str(error).split())}") from error
    finally:
        loader.dispose()
    if node is None or not isinstance(data, dict):
        raise StudyError(f"{source}:1: a study is a mapping of keys to values, such as `workload: problem`")
    return Document(data, dict(_places(node, (), source)), source, folder)


def parse_assignment(text: str) -> tuple[str, Any]:
    """``network.link.loss=0.1`` as its dotted path and its value; the value is read as YAML.

    Raises:
        StudyError: there is no ``=``, or the value is not YAML.
    """
    path, equals, value = text.partition("=")
    if not equals or not path:
        raise StudyError(f"--set {text}: write it as a.b=value, for example network.link.loss=0.1")
    try:
        return path.strip(), yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise StudyError(f"--set {text}: the value {value!r} is not valid YAML") from error


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


def _refuse_twice(node: yaml.Node | None, source: str) -> None:
    """YAML itself lets the last of two equal keys win, silently; and a key such as `1` is not text."""
    if isinstance(node, yaml.ScalarNode):
        node.value = _whole_letters(node, source)
    if isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_twice(value, source)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: dict[str, int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if key.tag == "tag:yaml.org,2002:merge":
            continue
        if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
            raise StudyError(f"{source}:{line}: the key {getattr(key, 'value', '?')!r} is not text; quote it")
        key.value = _whole_letters(key, source)
        if key.value in seen:
            raise StudyError(f"{source}:{line}: {key.value} is set twice; first on line {seen[key.value]}")
        seen[key.value] = line
        _refuse_twice(value, source)


def _whole_letters(node: yaml.ScalarNode, source: str) -> str:
    r"""The text of a node; letters that JSON writes in halves (``\ud83c\udf89``) are put together.

    Raises:
        StudyError: there is half a letter alone, which no file could be written with.
    """
    text: str = node.value
    if text.isascii():
        return text
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError as error:
        raise StudyError(
            f"{source}:{node.start_mark.line + 1}: {text!a} has half a letter in it, of a pair of \\uD800 to"
            " \\uDFFF"
        ) from error
