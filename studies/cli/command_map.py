"""The commands by purpose: what ``testbed`` alone prints, and the headings of ``testbed --help``."""

from __future__ import annotations

import inspect
from typing import Annotated

import typer

from studies.cli.options import app, out

PURPOSES: dict[str, tuple[str, ...]] = {
    "Find a study": ("studies", "topologies", "schema"),
    "Run a study": ("validate", "run", "train", "status"),
    "Compare methods": ("suite",),
    "Read its results": ("table", "report", "compare", "export"),
    "Look into one trial": ("play", "trace", "batch"),
}
"""Heading -> commands, in the order of a study's life. Every command has one heading."""

FIRST = "testbed run demo"
"""The command for somebody who has run none."""


def group() -> None:
    """Puts every command under its heading in ``testbed --help``; call it once all are registered.

    Raises:
        KeyError: a command has no heading.
    """
    headings = {name: heading for heading, names in PURPOSES.items() for name in names}
    for command in app.registered_commands:
        command.rich_help_panel = headings[_name(command)]


def lines() -> list[str]:
    """The map: a heading, and under it a line per command with the first sentence of its help."""
    about = {_name(command): _first_sentence(command) for command in app.registered_commands}
    width = max(map(len, about))
    found = [f"testbed COMMAND ...  A first study, in two minutes: {FIRST}"]
    for heading, names in PURPOSES.items():
        found += ["", heading, *(f"  {name.ljust(width)}  {about[name]}" for name in names)]
    return [*found, "", "testbed COMMAND --help explains a command and its options."]


def _name(command: typer.models.CommandInfo) -> str:
    return command.name or str(getattr(command.callback, "__name__", ""))


def _first_sentence(command: typer.models.CommandInfo) -> str:
    paragraph = (inspect.getdoc(command.callback) or "").split("\n\n")[0]
    return " ".join(paragraph.split()).partition(". ")[0].rstrip(".")


def _print_versions(wanted: bool) -> None:
    if wanted:
        from studies.storage.provenance import versions

        for name, version in versions().items():
            out.print(f"{name} {version}", markup=False)
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _common(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            callback=_print_versions,
            help="Print the versions of this package and its dependencies, as trials record them.",
        ),
    ] = False,
) -> None:
    """Study decentralised multi-agent learning over imperfect networks."""
    if context.invoked_subcommand is None:
        for line in lines():
            out.print(line, markup=False)
