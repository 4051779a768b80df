"""A setting that is a name: text that must be the name of something in a registry."""

from __future__ import annotations

from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from testbed.common.registry import Registry


class NameIn:
    """Annotates text: ``Annotated[str, NameIn(ALGORITHMS)]`` is validated as a literal of the names would be.

    The names are looked up when they are needed, so that other packages may add some.
    """

    def __init__(self, registry: Registry[Any]) -> None:
        self.registry = registry

    def names(self) -> tuple[str, ...]:
        """Those that are allowed now."""
        return tuple(self.registry.members())

    def _validated(self, value: Any) -> str:
        names = self.names()
        if not isinstance(value, str) or value not in names:
            *others, last = map(repr, names)
            raise PydanticKnownError("literal_error", {"expected": f"{', '.join(others)} or {last}"})
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._validated)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(core_schema.literal_schema(list(self.names())))


def names_allowed(field: FieldInfo) -> tuple[str, ...]:
    """The names that a field may have if it is annotated with :class:`NameIn`; otherwise nothing."""
    return next((part.names() for part in field.metadata if isinstance(part, NameIn)), ())
