"""Turns what pydantic found wrong into one line: place, dotted field, value, and what is allowed."""

from __future__ import annotations

import difflib
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import annotated_types
from pydantic import BaseModel, BeforeValidator, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from studies.document import Document, Keys, StudyError, dotted, shown

_PLAIN = {
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
}
_NO_VALUE: Final = object()
_BOUNDS = {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}


def nearest(name: object, allowed: Iterable[str]) -> str:
    """``; did you mean 'ring'?`` when some allowed name is close, else nothing."""
    near = difflib.get_close_matches(str(name).lower().replace("-", "_"), list(allowed), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


def complaint(
    document: Document, keys: Keys, reason: str, *, value: object = _NO_VALUE, more: int = 0
) -> StudyError:
    """``file:line: field = value: reason``; ``more`` counts the other errors that are not shown."""
    what = dotted(keys) + ("" if value is _NO_VALUE else f" = {shown(value)}")
    others = f" (and {more} more)" if more else ""
    line = " ".join(reason.split())
    for name in (dotted(keys), str(keys[-1])):  # some reasons begin with the field themselves
        line = line.removeprefix(f"{name}: ")
    return StudyError(f"{document.place(keys)}: {what}: {line}{others}")


def explain(
    error: ValidationError, model: type[BaseModel], document: Document, also_allowed: Sequence[str] = ()
) -> StudyError:
    """The first error as one line.

    Args:
        error: what pydantic found.
        model: the model that was validated, with the document's data (or a part of its top level).
        document: where the data came from.
        also_allowed: names allowed at the top level besides the model's own.
    """
    groups: dict[Keys, list[ErrorDetails]] = {}
    for details in error.errors(include_url=False):
        groups.setdefault(_keys(details, document.data), []).append(details)
    # A misspelt key usually comes with "missing" for the right one: the misspelling is the one to tell.
    order = sorted(groups.items(), key=lambda item: item[1][0]["type"] != "extra_forbidden")
    keys, found = order[0]
    more = len(groups) - 1
    kind = found[0]["type"]
    if kind == "extra_forbidden":
        names = [*_names(model, keys[:-1], document.data), *(also_allowed if len(keys) == 1 else ())]
        allowed = f" (allowed: {', '.join(sorted(names))})" if names else ""
        reason = f"unknown key{nearest(keys[-1], names)}{allowed}"
        return complaint(document, keys, reason, more=more)
    if kind == "missing":
        choices = _choices(model, keys, document.data)
        return complaint(document, keys, f"missing{_allowed(choices)}", more=more)
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        context = found[0].get("ctx", {})
        keys = (*keys, str(context.get("discriminator", "name")).strip("'"))
        if kind == "union_tag_not_found":
            return complaint(
                document, keys, f"missing{_allowed(_choices(model, keys, document.data))}", more=more
            )
        tags = [tag.strip().strip("'") for tag in str(context["expected_tags"]).split(",")]
        reason = f"must be one of {', '.join(tags)}{nearest(context['tag'], tags)}"
        return complaint(document, keys, reason, value=context["tag"], more=more)
    reasons = list(dict.fromkeys(_reason(details, model, keys, document.data) for details in found))
    whole = kind == "value_error" and isinstance(found[0]["input"], dict)  # about several keys of a mapping
    value = _NO_VALUE if whole else found[0]["input"]
    return complaint(document, keys, ", or ".join(reasons), value=value, more=more)


def _reason(details: ErrorDetails, model: type[BaseModel], keys: Keys, data: Any) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind == "literal_error":
        names = [name.strip("'") for name in str(context["expected"]).replace(" or ", ", ").split(", ")]
        return f"must be one of {', '.join(names)}{nearest(details['input'], names)}"
    if kind in _BOUNDS:
        return f"must be {_interval(_annotations(model, keys, data), context)}"
    if kind == "value_error":
        return str(context["error"])
    return re.sub(r"^\w+ should ", "must ", details["msg"]).replace(" after validation", "")


def _interval(annotations: Sequence[Any], context: Mapping[str, Any]) -> str:
    """All bounds of a number, not only the one that was missed: `loss: 2` should say "from 0 to 1"."""
    bounds: dict[str, Any] = dict(context)
    for annotation in annotations:
        for part in _metadata(annotation):
            for name in ("ge", "gt", "le", "lt"):
                if getattr(part, name, None) is not None:
                    bounds.setdefault(name, getattr(part, name))
    if "ge" in bounds and "le" in bounds:
        return f"from {bounds['ge']:g} to {bounds['le']:g}"
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    return " and ".join(f"{words[name]} {bounds[name]:g}" for name in words if name in bounds)


def _metadata(annotation: Any) -> list[Any]:
    found: list[Any] = []
    parts = list(annotation.metadata) if isinstance(annotation, FieldInfo) else []
    inner = annotation.annotation if isinstance(annotation, FieldInfo) else annotation
    parts.extend(getattr(inner, "__metadata__", ()))
    for part in parts:
        found.extend(part if isinstance(part, annotated_types.GroupedMetadata) else [part])
    for argument in typing.get_args(inner):
        found.extend(_metadata(argument))
    return found


def _keys(details: ErrorDetails, data: Any) -> Keys:
    """The keys of the data an error is about: pydantic's path without the names of union members."""
    keys: list[str | int] = []
    location = details["loc"]
    for index, step in enumerate(location):
        following = location[index + 1] if index + 1 < len(location) else None
        if isinstance(data, dict) and following in data and not isinstance(data.get(str(step)), dict | list):
            continue  # the name of a union member that is also one of its fields
        if isinstance(data, dict) and step in data:
            data = data[str(step)]
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        elif details["type"] != "missing" or index < len(location) - 1:
            continue
        keys.append(step)
    return tuple(keys)


def _models(entry: Any, data: Any) -> list[type[BaseModel]]:
    """The models an annotation or field allows; not those whose literal fields contradict the data."""
    annotation = entry.annotation if isinstance(entry, FieldInfo) else entry
    data = _with_default_tag(entry, data)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation] if _fits(annotation, data) else []
    inner = typing.get_args(annotation)
    return [model for argument in inner for model in _models(argument, data)]


def _with_default_tag(entry: Any, data: Any) -> Any:
    """The data as a union of models sees them when it has a validator that fills in a missing tag."""
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


def _annotations(model: type[BaseModel], keys: Keys, data: Any) -> list[Any]:
    """The fields (or, inside collections, bare annotations) that ``keys`` lead to."""
    current: list[Any] = [model]
    for key in keys:
        found: list[Any] = []
        for entry in current:
            for candidate in _models(entry, data) if not isinstance(key, int) else []:
                fields = candidate.model_fields
                found.extend(info for name, info in fields.items() if key in (name, info.alias))
        # Not a field: an item of a list or an entry of a mapping, described by the same annotation.
        current = found or current
        if isinstance(data, dict):
            data = data.get(str(key))
        elif isinstance(data, list) and isinstance(key, int):
            data = data[key]
    return current


def _names(model: type[BaseModel], keys: Keys, data: Any) -> list[str]:
    """The keys allowed at ``keys``."""
    at = data
    for key in keys:
        at = at[key]
    models = [candidate for entry in _annotations(model, keys, data) for candidate in _models(entry, at)]
    fields = [field for candidate in models for field in candidate.model_fields.items()]
    return list(dict.fromkeys(info.alias or name for name, info in fields))


def _choices(model: type[BaseModel], keys: Keys, data: Any) -> list[str]:
    """The values of a choice, where ``keys`` lead to one."""
    parent: Any = data
    for key in keys[:-1]:
        parent = parent[key]
    found: list[str] = []
    for entry in _annotations(model, keys[:-1], data):
        for candidate in _models(entry, parent):
            info = candidate.model_fields.get(str(keys[-1]))
            if info is not None:
                found.extend(_literals(info.annotation))
    return list(dict.fromkeys(found))


def _literals(annotation: Any) -> list[str]:
    if typing.get_origin(annotation) is typing.Literal:
        return [str(value) for value in typing.get_args(annotation)]
    if typing.get_origin(annotation) in (typing.Union, types.UnionType, typing.Annotated):
        return [name for argument in typing.get_args(annotation) for name in _literals(argument)]
    return []


def _allowed(choices: Sequence[str]) -> str:
    return f"; allowed: {', '.join(choices)}" if choices else ""
