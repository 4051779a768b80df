"""Converts pydantic's errors into lines with place, dotted field, value, and what is allowed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from studies.spec.document import Document, Keys, Problem, StudyError, dotted, shown
from studies.spec.setting_models import choices_at, fields_at, kinds_with, members_at, metadata_of, names_at
from studies.spec.synonyms import closest, did_you_mean, elsewhere
from testbed.common.settings import SettingError
from testbed.common.validation_messages import message

_NO_VALUE: Final = object()
_BOUNDS = {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}


def problem(document: Document, keys: Keys, reason: str, *, value: object = _NO_VALUE) -> Problem:
    """The problem with the value at ``keys``, including the place where it is written."""
    return Problem(document.place(keys), keys, reason, None if value is _NO_VALUE else shown(value))


def complaint(document: Document, keys: Keys, reason: str, *, value: object = _NO_VALUE) -> StudyError:
    """``file:line: field = value: reason``."""
    return StudyError.of([problem(document, keys, reason, value=value)])


def problems(
    error: ValidationError,
    model: type[BaseModel],
    document: Document,
    also_allowed: Sequence[str] = (),
    paths: Collection[str] = (),
) -> list[Problem]:
    """All errors found by pydantic, in the order of the document.

    Args:
        error: pydantic's error.
        model: the model against which the document's data (or a part of its top level) was validated.
        document: the source of the data.
        also_allowed: names allowed at the top level in addition to the model's own.
        paths: dotted paths of all settings, to suggest where a misplaced name belongs.
    """
    groups: dict[Keys, list[ErrorDetails]] = {}
    for details in error.errors(include_url=False):
        groups.setdefault(_keys(details, document.data), []).append(details)
    if len(groups) > 1:  # a consequence of another error in the same model
        groups = {
            keys: group for keys, group in groups.items() if not _derived(group[0], keys, document.data)
        }
    found: list[Problem] = []
    misspelt: set[Keys] = set()
    """Mappings with a misspelt key, in which a missing key is not reported."""
    for keys, group in groups.items():
        if group[0]["type"] == "extra_forbidden":
            names = [*names_at(model, keys[:-1], document.data), *(also_allowed if len(keys) == 1 else ())]
            hint = _meant(model, keys, document.data, names, paths)
            if hint:
                misspelt.add(keys[:-1])
            allowed = f" (allowed: {', '.join(sorted(names))})" if names else ""
            found.append(problem(document, keys, f"unknown key{hint}{allowed}"))
    for keys, group in groups.items():
        missing = group[0]["type"] == "missing" and keys[:-1] in misspelt
        if group[0]["type"] != "extra_forbidden" and not missing:
            found.append(_explained(group, keys, model, document))
    order = {keys: number for number, keys in enumerate(document.places)}
    return sorted(found, key=lambda each: _position(each.keys, order))


def _meant(
    model: type[BaseModel], keys: Keys, data: Any, names: Sequence[str], paths: Collection[str]
) -> str:
    """A hint at the key meant by an unknown one: one allowed there, of another kind, or elsewhere."""
    name = keys[-1]
    near = closest(name, names, cutoff=0.8)
    other = None if near else elsewhere(name, paths)
    if near is None and other is not None:
        outer, _, last = other.rpartition(".")
        if outer != dotted(keys[:-1]):
            return f" here; did you mean {other}?"
        if kinds := kinds_with(model, (*keys[:-1], last), data):
            words = f"{last!r}, which only" if last != name else "here: only"
            have = "has" if len(kinds) == 1 else "have"
            return (
                f"; did you mean {words} {', '.join(kinds)} {have}?"
                if last != name
                else f" {words} {', '.join(kinds)} {have} it"
            )
    near = near or closest(name, names)
    return f"; did you mean {near!r}?" if near else ""


def _derived(details: ErrorDetails, keys: Keys, data: Any) -> bool:
    return (
        details["type"] != "missing" and details["input"] is None and _written(data, keys, None) is not None
    )


def _position(keys: Keys, order: Mapping[Keys, int]) -> int:
    for length in range(len(keys), 0, -1):
        if keys[:length] in order:
            return order[keys[:length]]
    return len(order)


def _explained(
    found: Sequence[ErrorDetails], keys: Keys, model: type[BaseModel], document: Document
) -> Problem:
    """One problem, for which each member of a union may have given its own reason."""
    kind = found[0]["type"]
    context = found[0].get("ctx", {})
    if isinstance(wrong := context.get("error"), SettingError):
        inner = (*keys, *wrong.keys)
        value = _written(document.data, inner, _NO_VALUE)
        return problem(document, inner, wrong.reason, value=_NO_VALUE if isinstance(value, dict) else value)
    if kind == "missing":
        return problem(document, keys, f"missing{_allowed(choices_at(model, keys, document.data))}")
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        tag = str(context.get("discriminator", "name")).strip("'")
        if tag.endswith("()"):  # a function tells the members of the union apart, not a key
            members = [", ".join(one.model_fields) for one in members_at(model, keys, document.data)]
            reason = f"must be a single value, or a mapping with the keys {'; or '.join(members)}"
            return problem(document, keys, reason, value=_written(document.data, keys, _NO_VALUE))
        written = _written(document.data, keys, None)
        if isinstance(written, str):  # a name alone, short for a mapping with nothing but the name
            names = [name.strip(" '") for name in context["expected_tags"].split(",")]
            return problem(
                document,
                keys,
                f"must be one of {', '.join(names)}{did_you_mean(written, names)}",
                value=written,
            )
        keys = (*keys, tag)
        tags = choices_at(model, keys, document.data)
        if kind == "union_tag_not_found":
            return problem(document, keys, f"missing{_allowed(tags)}")
        said = _written(document.data, keys, context["tag"])
        return problem(
            document, keys, f"must be one of {', '.join(tags)}{did_you_mean(said, tags)}", value=said
        )
    reasons = list(dict.fromkeys(_reason(details, model, keys, document.data) for details in found))
    whole = kind == "value_error" and isinstance(found[0]["input"], dict)  # about several keys of a mapping
    value = _NO_VALUE if whole else found[0]["input"]
    return problem(document, keys, ", or ".join(reasons), value=value)


def _written(data: Any, keys: Keys, otherwise: object) -> object:
    """The value at ``keys`` as it is written."""
    for key in keys:
        try:
            data = data[key]
        except (KeyError, IndexError, TypeError):
            return otherwise
    return data


def _reason(details: ErrorDetails, model: type[BaseModel], keys: Keys, data: Any) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind in ("bool_type", "bool_parsing") and (near := closest(details["input"], ("true", "false"))):
        return f"{message(details)}; did you mean {near}?"
    if kind == "string_type" and isinstance(details["input"], bool | int | float):
        return "must be text; quote it if text is meant"
    if kind == "literal_error" and (names := choices_at(model, keys, data)):
        return f"must be one of {', '.join(names)}{did_you_mean(details['input'], names)}"
    if kind in _BOUNDS:
        return f"must be {_interval(fields_at(model, keys, data), context)}"
    return message(details)


def _interval(annotations: Sequence[Any], context: Mapping[str, Any]) -> str:
    """All bounds of a number, not only the violated one: `loss: 2` should say "from 0 to 1"."""
    bounds: dict[str, Any] = dict(context)
    for annotation in annotations:
        for part in metadata_of(annotation):
            for name in ("ge", "gt", "le", "lt"):
                if getattr(part, name, None) is not None:
                    bounds.setdefault(name, getattr(part, name))
    said = {name: _amount(bound) for name, bound in bounds.items()}
    if "ge" in said and "le" in said:
        return f"from {said['ge']} to {said['le']}"
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    return " and ".join(f"{words[name]} {said[name]}" for name in words if name in said)


def _amount(bound: Any) -> str:
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:g}"


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


def _allowed(choices: Sequence[str]) -> str:
    return f"; allowed: {', '.join(choices)}" if choices else ""
