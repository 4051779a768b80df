"""The settings of study files as Markdown, from their JSON Schema: a section per mapping, a row per key."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from studies.spec.json_schema import study_schema
from studies.spec.study import HEADER_KEYS

KINDS = ("name", "fault")
"""Keys whose single allowed value identifies an alternative."""

WORDS = {
    "string": "text",
    "boolean": "`true` or `false`",
    "null": "`null`",
    "array": "list",
    "object": "mapping",
}

COLUMNS = ("key", "allowed", "default", "meaning")

Schema = Mapping[str, Any]


@dataclass
class Section:
    """A mapping that a study file may hold.

    Attributes:
        path: its first path, such as ``consensus.budget``; a key of any name is ``<name>``.
        schema: of the mapping.
        alternatives: whether another mapping may replace it.
        places: all paths to it.
    """

    path: str
    schema: Schema
    alternatives: bool
    places: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """The key that identifies it among alternatives, as ``name: navigation``, or its required keys."""
        properties = self.schema["properties"]
        kinds = [f"`{name}: {properties[name]['const']}`" for name in KINDS if _is_kind(properties, name)]
        needed = [f"`{name}`" for name in self.schema.get("required", ()) if self.alternatives]
        return ", ".join(kinds or needed)

    @property
    def heading(self) -> str:
        """Its path, and its kind."""
        return f"`{self.path}`" + (f" with {self.kind}" if self.kind else "")

    @property
    def anchor(self) -> str:
        """GitHub's anchor of the heading."""
        return re.sub(r"[^\w\- ]", "", self.heading.lower()).replace(" ", "-")

    @property
    def root(self) -> str:
        """The top-level key that encloses it."""
        return self.path.partition(".")[0]


class Documented:
    """All settings.

    Attributes:
        header: schemas of the keys that belong to a study as a whole.
        workloads: name -> schema of a study of that workload.
        sections: by the names of their schemas, in the order in which they are met.
    """

    def __init__(self, pages: Mapping[str, str]) -> None:
        """``pages`` has the page that the sections below a key of the file are on, where that is another."""
        schema = study_schema()
        self._pages = pages
        self._definitions: Schema = schema["$defs"]
        self.workloads: dict[str, Schema] = {branch["title"]: branch for branch in schema["oneOf"]}
        some = next(iter(self.workloads.values()))["properties"]
        self.header = {name: some[name] for name in (*HEADER_KEYS, "topology")}
        self.sections: dict[str, Section] = {}
        self._gather(self.header, "")
        for name in self.workloads:
            self._gather(self.own(name), "")

    def own(self, workload: str) -> dict[str, Schema]:
        """Schemas of the keys that a workload has besides those of every study."""
        properties = self.workloads[workload]["properties"]
        return {name: properties[name] for name in properties if name not in (*self.header, "workload")}

    def below(self, *roots: str) -> list[Section]:
        """The sections below some keys of the file."""
        return [section for section in self.sections.values() if section.root in roots]

    def rows(self, properties: Mapping[str, Schema], required: Sequence[str] = ()) -> list[list[str]]:
        """For each key its name, allowed values, default and meaning; see COLUMNS."""
        rows = []
        for name, schema in properties.items():
            if name in KINDS and "const" in schema:
                continue  # the heading has it
            allowed = " or ".join(dict.fromkeys(self._allowed(schema)))
            default = "needed" if name in required else f"`{written(self._default(schema))}`"
            rows.append([f"`{name}`", allowed, default, prose(schema.get("description", ""))])
        return rows

    def _gather(self, properties: Mapping[str, Schema], path: str) -> None:
        for name, schema in properties.items():
            found = [*_references(schema, f"{path}.{name}" if path else name)]
            for reference, place in found:
                if "properties" not in self._definitions[reference]:
                    continue  # no mapping of known keys
                known = reference in self.sections
                new = Section(place, self._definitions[reference], alternatives=len(found) > 1)
                section = self.sections.setdefault(reference, new)
                section.places += [place] if place not in section.places else []
                if not known:
                    self._gather(section.schema["properties"], place)

    def _allowed(self, schema: Schema) -> Iterator[str]:
        unions = [part for union in ("anyOf", "oneOf") for part in schema.get(union, ())]
        if "$ref" in schema:
            yield self._link(schema["$ref"].rpartition("/")[2])
        elif unions:
            for part in unions:
                yield from self._allowed(part)
        elif "const" in schema:
            yield f"`{schema['const']}`"
        elif "enum" in schema:
            yield ", ".join(f"`{value}`" for value in schema["enum"])
        elif "prefixItems" in schema:
            yield "list of " + ", ".join(" or ".join(self._allowed(item)) for item in schema["prefixItems"])
        elif "items" in schema:
            yield "list of " + " or ".join(dict.fromkeys(self._allowed(schema["items"])))
        elif models := [*self._models(schema)]:
            yield f"mapping from names to {self._link(models[0])}"
        else:
            yield _scalar(schema)

    def _models(self, schema: Schema) -> Iterator[str]:
        """The names of the mappings of known keys that a value may be made of."""
        yield from (name for name, _ in _references(schema) if "properties" in self._definitions[name])

    def _link(self, reference: str) -> str:
        if reference in self.sections:
            section = self.sections[reference]
            page = self._pages.get(section.root, "")
            return f"[{section.kind or 'mapping'}]({page}#{section.anchor})"
        return "[a graph](topologies.md)" if reference == "Topology" else "anything"

    def _default(self, schema: Schema) -> Any:
        """The entries of a mapping of known keys that differ from the defaults of these keys."""
        default = schema.get("default", {})  # what has no default here is an empty mapping
        models = [*self._models(schema)]
        if not isinstance(default, dict) or not models:
            return default
        for model in models:
            own = self._definitions[model]["properties"]
            kinds = {name: default[name] for name in KINDS if _is_kind(own, name)}
            if all(value == own[name]["const"] for name, value in kinds.items()):
                usual = {name: part.get("default", {}) for name, part in own.items()}
                return kinds | {name: value for name, value in default.items() if value != usual[name]}
        raise AssertionError(f"the default {default} is not one of the alternatives")


def _is_kind(properties: Mapping[str, Schema], name: str) -> bool:
    return "const" in properties.get(name, {})


def _references(schema: Schema, place: str = "") -> Iterator[tuple[str, str]]:
    """The names of the schemas that a value may have, and the path to it."""
    if "$ref" in schema:
        yield schema["$ref"].rpartition("/")[2], place
    for key, inner in _inner(schema):
        yield from _references(inner, place + key)


def _inner(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """The parts of a schema, and their additions to the path."""
    parts = [part for union in ("anyOf", "oneOf") for part in schema.get(union, ())]
    yield from (("", part) for part in [*parts, *([schema["items"]] if "items" in schema else [])])
    mapped = [schema.get("additionalProperties"), *schema.get("patternProperties", {}).values()]
    yield from ((".<name>", part) for part in mapped if isinstance(part, dict))


def _scalar(schema: Schema) -> str:
    if "examples" in schema:
        return "text such as " + ", ".join(f"`{example}`" for example in schema["examples"])
    name = str(schema["type"])
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {schema[key]:,.10g}" for key, sign in signs.items() if key in schema]
    return " ".join([WORDS.get(name, name), ", ".join(bounds)]).strip()


def written(value: Any) -> str:
    """Plain data as a study file would have it, on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {written(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    return value if isinstance(value, str) and value else json.dumps(value)


def prose(text: str) -> str:
    """A docstring as one line of Markdown, escaped against accidental tags, emphasis and table cells."""
    parts = " ".join(text.split()).replace("``", "`").split("`")
    parts[::2] = [part.replace("<", "&lt;").replace("*", r"\*").replace("|", r"\|") for part in parts[::2]]
    return "`".join(parts)


def table(columns: tuple[str, ...], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [[*columns], ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
