"""A console for terminals, notebooks and log files that escapes control characters."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from studies.text import visible


class PlainConsole(Console):
    """A console that shows control characters escaped, so that text cannot control the terminal."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(
            *(visible(one, lines=True) if isinstance(one, str) else one for one in objects), **options
        )
