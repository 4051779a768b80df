"""Reads the pages under docs/: the blocks between their fences, and the file that the text before names."""

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Block:
    """The text between two fences; ``file`` is the last path in backticks in the prose before it."""

    language: str
    text: str
    file: str | None


def blocks(page: Path) -> list[Block]:
    """The blocks of a page, in order."""
    parts = re.split(r"^```(\w*)\n(.*?)^```$", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    found, file = [], None
    for prose, language, text in zip(parts[::3], parts[1::3], parts[2::3], strict=False):
        file = (re.findall(r"`([\w./-]+\.(?:yaml|py|csv|toml))`", prose) or [file])[-1]
        found.append(Block(language, text, file))
    return found
