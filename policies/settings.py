"""The common base of the algorithms' settings."""

from pydantic import BaseModel, ConfigDict


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
