"""The settings that shells complete, ``studies/cli/settings.json``: ``make reference`` writes it.

Shells wait while the user types, and the JSON Schema, from which this is made, takes seconds to import.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from studies.cli.completion import SETTINGS
from studies.spec.json_schema import study_schema

DEPTH = 7
"""Maximum number of names in a path."""

Schema = Mapping[str, Any]


def now() -> str:
    """The text of the file: dotted path of each setting of any workload -> its values, if they have names."""
    schema = study_schema()
    found: dict[str, set[str]] = {}
    for branch in schema["oneOf"]:
        own = branch["properties"]
        settings = {name: own[name] for name in own if name not in ("workload", "vary", "quick")}
        for path, parts in _settings(settings, schema["$defs"]):
            if any(_is_written_alone(part) for part in parts):
                found.setdefault(path, set()).update(value for part in parts for value in _values(part))
    return json.dumps({path: sorted(found[path]) for path in sorted(found)}, indent=0) + "\n"


def write() -> None:
    """Writes the file into the package."""
    Path(str(resources.files("studies.cli") / SETTINGS)).write_text(now(), encoding="utf-8")


def _settings(
    properties: Schema, definitions: Schema, above: tuple[str, ...] = ()
) -> Iterator[tuple[str, list[Schema]]]:
    """The dotted path to each setting, and the forms that its value may have."""
    for name, value in properties.items():
        path = (*above, name)
        parts = list(_parts(value, definitions))
        yield ".".join(path), parts
        if len(path) < DEPTH:
            for part in parts:
                yield from _settings(part.get("properties", {}), definitions, path)


def _parts(value: Schema, definitions: Schema) -> Iterator[Schema]:
    if "$ref" in value:
        yield from _parts(definitions[value["$ref"].rpartition("/")[2]], definitions)
        return
    unions = [part for union in ("anyOf", "oneOf", "allOf") for part in value.get(union, ())]
    for part in unions:
        yield from _parts(part, definitions)
    if not unions:
        yield value


def _is_written_alone(part: Schema) -> bool:
    """Whether a value of this form is a word, a number or a list, rather than settings of its own."""
    return part.get("type") not in ("object", "null")


def _values(part: Schema) -> Iterator[str]:
    if part.get("type") == "boolean":
        yield from ("false", "true")
    named = [*part.get("enum", ()), part.get("const")]
    yield from (value for value in named if isinstance(value, str))
