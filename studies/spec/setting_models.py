"""The settings classes and fields that a path of keys leads to, and the names and choices allowed there."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from functools import cache
from typing import Any

import annotated_types
from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from studies.spec.document import Keys
from testbed.common.registered_names import names_allowed
from testbed.common.registry import registry_of


@cache
def setting_paths(model: type[BaseModel], depth: int = 4) -> tuple[str, ...]:
    """The dotted paths of all named settings in a model."""
    paths: list[str] = []
    for name, info in model.model_fields.items():
        paths.append(info.alias or name)
        for inner in models_of(info, None) if depth > 1 else ():
            paths.extend(f"{info.alias or name}.{path}" for path in setting_paths(inner, depth - 1))
    return tuple(dict.fromkeys(paths))


def names_at(model: type[BaseModel], keys: Keys, data: Any) -> list[str]:
    """The keys allowed at ``keys``."""
    at = data
    for key in keys:
        at = at[key]
    models = [candidate for entry in fields_at(model, keys, data) for candidate in models_of(entry, at)]
    fields = [field for candidate in models for field in candidate.model_fields.items()]
    return list(dict.fromkeys(info.alias or name for name, info in fields))


def choices_at(model: type[BaseModel], keys: Keys, data: Any) -> list[str]:
    """The values of a choice, where ``keys`` lead to one; of a tag of a union, those of all its members."""
    parent: Any = data
    for key in keys[:-1]:
        parent = parent[key]
    found: list[str] = []
    if isinstance(parent, dict):
        rest = {name: value for name, value in parent.items() if name != keys[-1]}
        for entry in fields_at(model, keys[:-1], data):
            for candidate in models_of(entry, rest, bare=True):
                info = candidate.model_fields.get(str(keys[-1]))
                found.extend(names_allowed(info) or _literals(info.annotation) if info is not None else ())
    return list(dict.fromkeys(found))


def members_at(model: type[BaseModel], keys: Keys, data: Any) -> list[type[BaseModel]]:
    entries = fields_at(model, keys, data)
    return list(dict.fromkeys(member for entry in entries for member in models_of(entry, None, bare=True)))


def kinds_with(model: type[BaseModel], keys: Keys, data: Any) -> list[str]:
    """The alternatives to the kind of mapping in ``data`` that have a key which this kind lacks."""
    found: list[str] = []
    for entry in fields_at(model, keys[:-1], data):
        for candidate in models_of(entry, None, bare=True):
            if str(keys[-1]) in candidate.model_fields and "name" in candidate.model_fields:
                found.extend(_literals(candidate.model_fields["name"].annotation))
    return list(dict.fromkeys(found))


def fields_at(model: type[BaseModel], keys: Keys, data: Any) -> list[Any]:
    """The fields (or, inside collections, bare annotations) that ``keys`` lead to."""
    current: list[Any] = [model]
    for key in keys:
        found: list[Any] = []
        for entry in current:
            for candidate in models_of(entry, data) if not isinstance(key, int) else []:
                fields = candidate.model_fields
                found.extend(info for name, info in fields.items() if key in (name, info.alias))
        # Not a field: an item of a list or an entry of a mapping, described by the same annotation.
        current = found or current
        if isinstance(data, dict):
            data = data.get(str(key))
        elif isinstance(data, list) and isinstance(key, int):
            data = data[key]
    return current


def models_of(entry: Any, data: Any, *, bare: bool = False) -> list[type[BaseModel]]:
    """The models an annotation or field allows; not those whose literal fields contradict the data.

    With ``bare``, missing tags are not filled in.
    """
    annotation = entry.annotation if isinstance(entry, FieldInfo) else entry
    registry = registry_of(entry)
    if not bare:
        data = _with_default_tag(entry, data)
    if registry is not None:
        return [model for model in registry.members().values() if _fits(model, data)]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation] if _fits(annotation, data) else []
    inner = typing.get_args(annotation)
    return [model for argument in inner for model in models_of(argument, data, bare=bare)]


def metadata_of(annotation: Any) -> list[Any]:
    found: list[Any] = []
    parts = list(annotation.metadata) if isinstance(annotation, FieldInfo) else []
    inner = annotation.annotation if isinstance(annotation, FieldInfo) else annotation
    parts.extend(getattr(inner, "__metadata__", ()))
    for part in parts:
        found.extend(part if isinstance(part, annotated_types.GroupedMetadata) else [part])
    for argument in typing.get_args(inner):
        found.extend(metadata_of(argument))
    return found


def _literals(annotation: Any) -> list[str]:
    if typing.get_origin(annotation) is typing.Literal:
        return [str(value) for value in typing.get_args(annotation)]
    if typing.get_origin(annotation) in (typing.Union, types.UnionType, typing.Annotated):
        return [name for argument in typing.get_args(annotation) for name in _literals(argument)]
    return []


def _with_default_tag(entry: Any, data: Any) -> Any:
    """The data as a union of models sees them when it has a validator that fills in a missing tag."""
    if (registry := registry_of(entry)) is not None:
        return registry.completed(data)
    parts = [entry, *entry.metadata] if isinstance(entry, FieldInfo) else getattr(entry, "__metadata__", ())
    if isinstance(data, dict) and any(isinstance(part, FieldInfo) and part.discriminator for part in parts):
        for part in parts:
            if isinstance(part, BeforeValidator):
                data = typing.cast(Callable[[Any], Any], part.func)(data)
    return data


def _fits(model: type[BaseModel], data: Any) -> bool:
    if not isinstance(data, dict):
        return True
    for name, info in model.model_fields.items():
        literal = typing.get_origin(info.annotation) is typing.Literal
        if literal and name in data and data[name] not in typing.get_args(info.annotation):
            return False
    return True
