"""One wording for what pydantic finds wrong with a value, wherever it is shown."""

from __future__ import annotations

import re
from typing import NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

WORDS = {
    "missing": "is missing",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "int_parsing_size": "must be a whole number of at most 18 digits",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "path_type": "must be a path",
    "model_attributes_type": "must be a mapping of keys to values",
}
"""Type of an error in pydantic -> what is said of the value."""

MEMBERS = ("int", "float", "str", "bool")
"""Steps of pydantic's paths that name a member of a union, and no key."""


class FirstError(NamedTuple):
    """The first thing that pydantic found.

    Attributes:
        keys: of the value, dotted; empty if it is the whole.
        message: what is wrong with it, without a field in front.
        details: everything that pydantic reports.
    """

    keys: str
    message: str
    details: ErrorDetails

    def __str__(self) -> str:
        return f"{self.keys}: {self.message}" if self.keys else self.message


def message(details: ErrorDetails) -> str:
    """What is wrong with a value: ``must be a number``; the words of a validator of our own as they are."""
    if details["type"] in WORDS:
        return WORDS[details["type"]]
    if details["type"] == "value_error":
        return str(details["ctx"]["error"])
    return re.sub(r"^\w+ should ", "must ", details["msg"]).replace(" after validation", "")


def first_error(error: ValidationError) -> FirstError:
    """The first thing that pydantic found, which as text is ``wall_seconds: must be a number``."""
    details = error.errors(include_url=False)[0]
    keys = ".".join(str(key) for key in details["loc"] if key not in MEMBERS)
    return FirstError(keys, message(details), details)
