"""The common base of the algorithms' settings."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

AverageOver = Literal["acting", "all"]
AVERAGE_OVER = (
    "samples of which KL, Fisher matrix, entropy and moments of advantages are means: those at which an agent"
    " can act, or all, as MATRPO's authors have it"
)
"""A setting that all algorithms have: see `policies.acting`."""


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
