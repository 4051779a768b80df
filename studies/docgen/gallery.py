"""Writes the gallery, ``docs/gallery.md``: every figure of the findings with the command that makes it.

Figures and commands are read from the READMEs in ``studies/results``: the commands of a figure are the blocks
of code before it under the same heading. A folder is in the gallery once its README shows a figure.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

RESULTS = Path("studies/results")
PAGE = Path("docs/gallery.md")

_IMAGE = re.compile(r"^!\[([^\]]*)\]\(([^)\s]+)\)$")


@dataclass(frozen=True)
class Figure:
    """A figure of a README."""

    command: str
    """The blocks of code before it, without indentation."""
    path: str
    """Relative to the README's folder."""
    caption: str


def page(results: Path) -> str:
    """The gallery in Markdown, as a page in the folder ``docs`` next to the folder above ``results``.

    Raises:
        ValueError: a figure has no command before it; one line that names the README and the figure.
    """
    parts = [
        "<!-- Written by `make reference` from the READMEs in studies/results: change those, not this. -->",
        "# Gallery",
        "Every figure of the [findings](../studies/results/README.md), with the command that makes it. The"
        " linked pages say how many seeds and which commit each has.",
    ]
    for readme in sorted(results.glob("*/README.md")):
        text = readme.read_text(encoding="utf-8")
        shown = list(figures(text, str(readme)))
        if shown:
            title = text.partition("\n")[0].removeprefix("# ")
            link = _from_docs(readme.parent.name, "README.md")
            parts += [f"## {readme.parent.name}", f"[{title}]({link})", *_blocks(shown, readme.parent.name)]
    return "\n\n".join(parts) + "\n"


def figures(text: str, name: str) -> Iterator[Figure]:
    """The figures of a README called ``name``, in order; ValueError if one has no command before it."""
    commands: list[str] = []
    before = ""
    for block in re.split(r"\n{2,}", text):
        lines = block.splitlines()
        if lines[0].startswith("#"):
            commands = []
        # Code in a list is indented further, and belongs to its item.
        if all(line.startswith("    ") for line in lines) and not before.startswith(("* ", "- ")):
            commands += [line.removeprefix("    ") for line in lines]
        for line in lines:
            if found := _IMAGE.match(line):
                if not commands:
                    raise ValueError(f"{name}: {found[2]} has no block of code with its command before it")
                yield Figure("\n".join(commands), found[2], found[1])
        before = block


def _from_docs(folder: str, path: str) -> str:
    """The path of a file of a folder of findings, seen from the folder ``docs``."""
    return posixpath.relpath(posixpath.normpath(f"studies/results/{folder}/{path}"), "docs")


def _blocks(shown: list[Figure], folder: str) -> Iterator[str]:
    for command in dict.fromkeys(figure.command for figure in shown):
        made = [figure for figure in shown if figure.command == command]
        yield f"```sh\n{command}\n```"
        yield "\n".join(f"![{figure.caption}]({_from_docs(folder, figure.path)})" for figure in made)
        yield f"*{'. '.join(figure.caption for figure in made)}.*"


def write() -> None:
    """Writes the page; the working directory must be the root of the repository."""
    PAGE.write_text(page(RESULTS), encoding="utf-8")
