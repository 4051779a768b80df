"""The common base of the algorithms' settings.

A twin of `testbed.common.settings`: of these two layers neither may import the other.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticKnownError, core_schema


def plain_scalars(schema: Any, model: type[BaseModel]) -> Any:
    """The core schema of a model, made strict about numbers and booleans.

    By default pydantic reads the text "0.1" as a number, "yes" as true and true as 1. Here text is text; a
    whole number may be written with a decimal point or an exponent (1e6), as it may in YAML and JSON.

    Args:
        schema: a schema of pydantic-core, or a part of one.
        model: the model of the schema. Nested models have processed their own.
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


AverageOver = Literal["acting", "all"]
AVERAGE_OVER = (
    "samples over which KL, Fisher matrix, entropy and moments of advantages are averaged: those in which an"
    " agent can act, or all, as in the code of MATRPO's authors"
)
"""A setting of all algorithms: see `policies.acting`."""


LogStd = Annotated[float, Field(ge=-10, le=10)]
LOG_STD_INIT = (
    "initial log standard deviation of each component of an action, in the units of the Box (0, as in"
    " Stable-Baselines3: a standard deviation of 1); no effect if actions are discrete"
)
"""A setting of all algorithms that learn continuous actions: see `policies.nn.gaussian`."""


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
