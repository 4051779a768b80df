"""The common base of everything a study file can set."""

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


class SettingError(ValueError):
    """A setting that is right by itself but does not fit the rest, found when that is known."""

    def __init__(self, keys: tuple[str | int, ...], message: str) -> None:
        super().__init__(message)
        self.keys = keys
        """Where it is, from the settings that were checked inward."""
