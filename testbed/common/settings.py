"""The common base of everything a study file can set; `policies.settings` has the twin for its layer."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticKnownError, core_schema


def plain_scalars(schema: Any, model: type[BaseModel]) -> Any:
    """The core schema of a model, made to take numbers and booleans for what they are.

    By itself pydantic reads the text "0.1" as a number, "yes" as true and true as 1. Here text is text; a
    whole number may be written with a decimal point or an exponent (1e6), as it may in YAML and JSON.

    Args:
        schema: of pydantic-core; or a part of one.
        model: whose schema it is. Models in it have seen to their own.
    """
    if isinstance(schema, list):
        return [plain_scalars(part, model) for part in schema]
    if isinstance(schema, tuple):
        return tuple(plain_scalars(part, model) for part in schema)
    if not isinstance(schema, dict):
        return schema
    kind = schema.get("type")
    if kind in ("float", "bool"):
        return {**schema, "strict": True}
    if kind == "int":
        lax = {key: part for key, part in schema.items() if key != "strict"}
        return core_schema.no_info_before_validator_function(_whole, lax)
    if kind == "model" and schema["cls"] is not model:
        return schema
    left = ("metadata", "serialization", "cls")
    return {key: part if key in left else plain_scalars(part, model) for key, part in schema.items()}


def _whole(value: object) -> object:
    if isinstance(value, bool | str):
        raise PydanticKnownError("int_type")
    return value


class Settings(BaseModel):
    """Frozen settings that refuse unknown keys, so that a misspelt one is never silently ignored.

    A string below a field describes it, in the JSON Schema and in the reference.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        validate_default=True,
        use_attribute_docstrings=True,
    )

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema: CoreSchema = plain_scalars(handler(source), cls)
        return schema

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return self  # frozen: pydantic copies defaults for each model that has them


class SettingError(ValueError):
    """A setting that is right by itself but does not fit the rest, found when that is known."""

    def __init__(self, keys: tuple[str | int, ...], reason: str, *, field: str = "") -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.keys = keys
        """Its keys, from the settings that were checked inward."""
        self.reason = reason
        """The message without the field that it begins with."""
