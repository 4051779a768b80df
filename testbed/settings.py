"""The common base of everything a study file can set."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema

from policies.settings import plain_scalars


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

    def __init__(self, keys: tuple[str | int, ...], message: str) -> None:
        super().__init__(message)
        self.keys = keys
        """Where it is, from the settings that were checked inward."""
