"""The JSON Schema of study files, from which editors complete and check them.

The schema covers names, types and bounds. `testbed validate` checks more: that a graph exists, that the paths
of the grid lead somewhere, and that settings are compatible.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema, to_jsonable_python

import topologies
from studies.spec.study import DEFAULT_TOPOLOGY, WORKLOADS, Header
from studies.spec.topology import TopologySettings

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Generator(GenerateJsonSchema):
    """Without titles that repeat the names of fields; and with tags that may be left out, as files may."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        return {"anyOf": super().tagged_union_schema(schema)["oneOf"]}


def study_schema() -> dict[str, Any]:
    """The JSON Schema of a study file."""
    models: list[type[BaseModel]] = [*WORKLOADS.values(), Header]
    _, made = models_json_schema([(model, "validation") for model in models], schema_generator=_Generator)
    definitions = made["$defs"]
    shown = {key: definitions["Header"]["properties"][key] for key in ("reach", "figures")}
    del definitions["Header"]
    _short_forms(shown, definitions)
    definitions["Topology"] = _topology()
    topology = {
        "$ref": "#/$defs/Topology",
        "description": TopologySettings.__doc__,
        "default": DEFAULT_TOPOLOGY,
    }
    branches = []
    for name, model in WORKLOADS.items():
        own = definitions.pop(model.__name__)
        settings = {**own["properties"], "topology": topology}
        del settings["workload"]
        paths = sorted({*_paths(settings, definitions)})
        properties = {
            "workload": {"const": name, "description": own.get("description", "")},
            **settings,
            "question": {"type": "string"},
            "seeds": _seeds(),
            **{key: dict(schema) for key, schema in shown.items()},
            "vary": _vary(paths),
            "quick": {"type": "object", "properties": {path: {} for path in paths}},
        }
        for key, field in Header.model_fields.items():
            default = to_jsonable_python(field.get_default(call_default_factory=True))
            properties[key] |= {"description": field.description, "default": default}
        branches.append(
            {
                "title": name,
                "type": "object",
                "properties": properties,
                "required": ["workload"],
                "additionalProperties": False,
            }
        )
    return {"$schema": DIALECT, "title": "A study", "oneOf": branches, "$defs": definitions}


def _short_forms(shown: dict[str, Any], definitions: dict[str, Any]) -> None:
    """Thresholds may be a number or a list, and a format stands for a list of one."""
    reach = shown["reach"]["additionalProperties"]
    several = {"type": "array", "items": {"type": "number"}, "minItems": 1}
    shown["reach"]["additionalProperties"] = {"anyOf": [{"type": "number"}, several, reach]}
    properties = definitions["FigureSettings"]["properties"]
    formats = {**properties["format"], "uniqueItems": True}
    kept = {key: formats.pop(key) for key in ("default", "description")}
    properties["format"] = {**kept, "anyOf": [formats["items"], formats]}


def _seeds() -> dict[str, Any]:
    seed = {"type": "integer", "minimum": 0}
    return {
        "anyOf": [
            {"type": "integer", "minimum": 1},
            {"type": "array", "items": seed, "minItems": 1, "uniqueItems": True},
        ],
    }


def _vary(paths: list[str]) -> dict[str, Any]:
    """Known paths have lists of values; other names have cases, or lists for paths inside mappings."""
    values = {"type": "array", "minItems": 1}
    cases = {"type": "object", "minProperties": 1, "additionalProperties": {"type": "object"}}
    return {
        "type": "object",
        "properties": dict.fromkeys(paths, values),
        "additionalProperties": {"anyOf": [values, cases]},
    }


def _topology() -> dict[str, Any]:
    """The families by name, alone or with their parameters; or a file."""
    fields = TopologySettings.model_json_schema(schema_generator=_Generator)["properties"]
    own = {key: fields[key] for key in ("nodes", "seed", "allow_disconnected")}
    families = [
        {
            "type": "object",
            "properties": {"name": {"const": name}, **own, **{key: {} for key in family.parameters}},
            "required": ["name"],
            "additionalProperties": False,
        }
        for name, family in topologies.FAMILIES.items()
    ]
    file = {
        "type": "object",
        "properties": {
            "file": {"type": "string", "description": fields["file"]["description"]},
            **own,
        },
        "required": ["file"],
        "additionalProperties": False,
    }
    return {"anyOf": [{"enum": list(topologies.FAMILIES)}, *families, file]}


def _paths(properties: Mapping[str, Any], definitions: Mapping[str, Any], depth: int = 4) -> Iterator[str]:
    """The dotted paths to all settings of the given properties, whatever union they are in."""
    for name, value in properties.items():
        yield name
        if depth > 1:
            for model in _models(value, definitions):
                inner = _paths(model.get("properties", {}), definitions, depth - 1)
                yield from (f"{name}.{path}" for path in inner)


def _models(value: Mapping[str, Any], definitions: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "$ref" in value:
        yield from _models(definitions[value["$ref"].rpartition("/")[2]], definitions)
    elif "properties" in value:
        yield value
    for union in ("anyOf", "oneOf", "allOf"):
        for part in value.get(union, ()):
            yield from _models(part, definitions)
