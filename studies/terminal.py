"""A console for terminals, notebooks and log files on which printed text cannot act."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from studies.text import visible


class PlainConsole(Console):
    """A console on which text acts on nothing: its control characters are shown escaped."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(
            *(visible(one, lines=True) if isinstance(one, str) else one for one in objects), **options
        )
