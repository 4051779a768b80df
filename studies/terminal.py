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


def lines_console() -> PlainConsole:
    """A console for use from Python: bars on a terminal, plain lines in scripts' logs and in notebooks.

    In a notebook, rich would need ipywidgets for its bars, and would write each line as an HTML element.
    """
    notebook = Console().is_jupyter
    return PlainConsole(
        highlight=False,
        soft_wrap=True,
        emoji=False,
        force_jupyter=False,
        force_terminal=False if notebook else None,
        no_color=True if notebook else None,
    )
