"""Names that last: hashes of what differs from the defaults of a format.

Trials, the batches that updates start from, references and checkpoints are all named by ``digest``. Settings
are hashed by their ``essence``: the values that differ from the defaults recorded in
``format_defaults.json``, in one form for all ways to say the same. So a setting that is added later, with a
default that means "as before", renames nothing.

Defaults are recorded when they first appear (``python -m studies.docgen.pages`` adds new ones) and never
change while the format stays: whoever changes what a setting means, or its default, raises ``FORMAT`` and has
the record written again.
"""

from __future__ import annotations

import hashlib
import json
import typing
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from testbed.common.registry import registry_of

FORMAT = 2
"""Part of every hash; to be raised when the same settings start to mean something else."""

LENGTH = 16
"""Hexadecimal digits kept: two of a million names collide with probability 3e-8."""

RECORD = "format_defaults.json"


def canonical(data: Any) -> str:
    """JSON that does not depend on the order of keys. ValueError for infinities and not-a-numbers."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(content: Mapping[str, Any]) -> str:
    """The name of plain data: hexadecimal digits of its SHA-256, with the format."""
    return hashlib.sha256(canonical({"format": FORMAT, **content}).encode()).hexdigest()[:LENGTH]


def content_of(file: Path) -> dict[str, str]:
    """Stand-in for a file in plain data that is hashed. OSError if it cannot be read."""
    return {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()}


def with_contents(data: Any, contents: Mapping[str, Mapping[str, str]]) -> Any:
    """A copy of plain data in which the paths of files give way to what is in them.

    Args:
        data: nested dicts, lists and scalars.
        contents: path, as it stands in ``data`` -> what :func:`content_of` said.
    """
    if isinstance(data, Mapping):
        return {key: with_contents(value, contents) for key, value in data.items()}
    if isinstance(data, list):
        return [with_contents(value, contents) for value in data]
    return dict(contents[data]) if isinstance(data, str) and data in contents else data


def paths(value: Any) -> Iterator[Path]:
    """The files that settings name by paths."""
    if isinstance(value, Path):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from paths(getattr(value, name))
    elif isinstance(value, Mapping | list | tuple):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from paths(inner)


def essence(value: Any) -> Any:
    """Plain data that says what settings mean: of models what differs from the format's defaults.

    Settings with more than one way to say the same choose one of them in a method ``essence``: plain data,
    equal for equal meanings.

    Raises:
        TypeError: for a value that is neither a model nor like JSON.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value + 0.0  # -0.0 means 0.0
    if isinstance(value, BaseModel):
        # Not isinstance: asking whether something follows a protocol takes ten times as long as all else.
        own = getattr(value, "essence", None)
        return differing(value) if own is None else own()
    if isinstance(value, Mapping):
        return {str(key): essence(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [essence(inner) for inner in value]
    if isinstance(value, set | frozenset):
        return sorted(essence(inner) for inner in value)
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} {value!r} cannot be part of a name")


def differing(model: BaseModel, names: Iterable[str] | None = None) -> dict[str, Any]:
    """The essence of the fields that must be given, choose a kind of settings, or differ from their default.

    Args:
        model: settings.
        names: instead, of these fields, whatever they are.
    """
    kind = type(model)
    found = {}
    for name in kind.model_fields:
        if names is None or name in names:
            value = essence(getattr(model, name))
            if names is not None or always(kind, name) or not same(value, default(kind, name)):
                found[name] = value
    return found


@cache
def always(kind: type[BaseModel], name: str) -> bool:
    """Whether a field is hashed whatever it is: it must be given, or is the name of a kind of settings."""
    return _recorded(kind, name) == "always" or (
        _recorded(kind, name) is None and _must(kind.model_fields[name])
    )


@cache
def default(kind: type[BaseModel], name: str) -> Any:
    """The essence of a field's default in the format; of a field that is not recorded, of its own default."""
    for base in kind.__mro__:
        fields = record()["defaults"].get(base.__name__, {})
        if name in fields:
            return fields[name]
    return present_default(kind.model_fields[name])


def _recorded(kind: type[BaseModel], name: str) -> str | None:
    """In which part of the record a field is, if in any."""
    for base in kind.__mro__:
        for part in ("always", "defaults"):
            if name in record()[part].get(base.__name__, ()):
                return part
    return None


def recorded_parameters(what: str, parameters: Mapping[str, object]) -> dict[str, Any]:
    """Defaults of parameters outside any model: those of the format, or else their own."""
    return {**parameters, **{k: v for k, v in record()["defaults"].get(what, {}).items() if k in parameters}}


@cache
def record() -> Mapping[str, Any]:
    """The format's record: the fields of each class that are always hashed, and all other defaults."""
    found: dict[str, Any] = json.loads((resources.files("testbed") / RECORD).read_text(encoding="utf-8"))
    return found if found["format"] == FORMAT else {**found, "always": {}, "defaults": {}}


def present_default(field: FieldInfo) -> Any:
    """The essence of the default that a field has in this code."""
    value = field.get_default(call_default_factory=True)
    if not isinstance(value, BaseModel) and value is not None:  # "5ms" means 0.005 in a default, too
        value = _adapter(field).validate_python(value)
    return essence(value)


def present(annotations: Iterable[Any], parameters: Mapping[str, Mapping[str, object]]) -> dict[str, Any]:
    """The record of this code.

    Args:
        annotations: all settings classes that these lead to are in it.
        parameters: name -> parameter -> default, of what is no settings class.
    """
    found: dict[str, Any] = {"format": FORMAT, "always": {}, "defaults": {}}
    for kind in kinds(annotations):
        if kind.__name__ in found["always"]:
            raise ValueError(
                f"two settings classes are named {kind.__name__}: a record cannot tell them apart"
            )
        fields = kind.model_fields
        found["always"][kind.__name__] = sorted(name for name, field in fields.items() if _must(field))
        found["defaults"][kind.__name__] = {
            name: present_default(field) for name, field in fields.items() if not _must(field)
        }
    found["defaults"] |= {name: dict(defaults) for name, defaults in parameters.items()}
    return found


def kinds(annotations: Iterable[Any]) -> Iterator[type[BaseModel]]:
    """All settings classes that annotations lead to, each once."""
    seen: set[type[BaseModel]] = set()
    waiting = list(annotations)
    while waiting:
        entry = waiting.pop()
        annotation = entry.annotation if isinstance(entry, FieldInfo) else entry
        registry = registry_of(entry)
        if registry is not None:
            waiting += registry.builtin().values()  # others' defaults are not the format's
        elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
            if annotation not in seen:
                seen.add(annotation)
                yield annotation
                waiting += annotation.model_fields.values()
        else:
            waiting += typing.get_args(annotation)


def extended(now: Mapping[str, Any]) -> dict[str, Any]:
    """The record with what is new in ``now``; all of ``now`` if the format has been raised.

    Raises:
        ValueError: a recorded default has changed and the format has not.
    """
    if record()["format"] != now["format"]:
        return dict(now)
    defaults = {kind: dict(fields) for kind, fields in record()["defaults"].items()}
    musts = {kind: list(fields) for kind, fields in record()["always"].items()}
    for kind, fields in now["defaults"].items():
        for name, value in fields.items():
            if not same(defaults.get(kind, {}).get(name, value), value):
                raise ValueError(
                    f"{kind}.{name}: the default is {value!r}, and was {defaults[kind][name]!r} in format"
                    f" {FORMAT}: raise FORMAT in testbed/identity.py"
                )
            if name not in musts.get(kind, ()):
                defaults.setdefault(kind, {})[name] = value
    for kind, names in now["always"].items():
        known = musts.setdefault(kind, [])
        known += [name for name in names if name not in known and name not in defaults.get(kind, {})]
        known.sort()
        defaults.setdefault(kind, {})
    return {"format": FORMAT, "always": musts, "defaults": defaults}


def _must(field: FieldInfo) -> bool:
    """Whether a field has no default, or is the name of a kind of settings."""
    literal = typing.get_origin(field.annotation) is typing.Literal
    return field.is_required() or (literal and len(typing.get_args(field.annotation)) == 1)


_SCALARS = (bool, int, float, str, type(None))


def same(one: Any, other: Any) -> bool:
    """Equality of plain data in which 1 is 1.0 and true is not 1."""
    if isinstance(one, _SCALARS) and isinstance(other, _SCALARS):
        return isinstance(one, bool) == isinstance(other, bool) and one == other
    return canonical(whole(one)) == canonical(whole(other))


def whole(value: Any) -> Any:
    """Plain data with whole numbers for floats that are whole."""
    if isinstance(value, Mapping):
        return {key: whole(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [whole(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _adapter(field: FieldInfo) -> TypeAdapter[Any]:
    annotation: Any = field.annotation
    for part in field.metadata:
        annotation = typing.Annotated[annotation, part]
    return TypeAdapter(annotation)
