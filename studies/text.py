"""Text that people typed, such as labels, questions and names of studies, made safe to show.

Such text is shown in terminals, figures, pages and CSV files. None of them may act upon it, so that what
would (control characters, line breaks, marks that turn the direction of reading) is shown escaped, here; each
medium then quotes what is markup in it. Files that programs read, Parquet and JSON, keep it as it is.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import unicodedata
from collections.abc import Iterable, Sequence
from urllib.parse import quote

JOINERS = "\u200c\u200d"
"""Invisible, but part of how scripts and emoji are written."""

LONG = 48
"""Letters of a label in a figure."""


def visible(text: str, *, lines: bool = False) -> str:
    r"""The text with everything escaped that would be invisible or act: ``\n``, ``\x1b``, ``\u202e``.

    Args:
        text: whatever somebody typed.
        lines: whether line breaks and tabs stay, as in messages of several lines.
    """
    kept = "\n\t" if lines else ""
    return "".join(
        letter if letter in kept or not _acts(letter) else letter.encode("unicode_escape").decode()
        for letter in text
    )


def label(text: str) -> str:
    """As :func:`visible`, with quotes round text whose ends are spaces, or of which nothing could be seen."""
    shown = visible(text)
    return f'"{shown}"' if shown != shown.strip() or not shown else shown


def shortened(text: str, most: int = LONG) -> str:
    """The beginning and the end of a text that is longer than ``most`` letters."""
    if len(text) <= most:
        return text
    begin = (most - 1) * 2 // 3
    return f"{text[:begin].rstrip()}…{text[begin + 1 - most :].lstrip()}"


def apart(texts: Sequence[str]) -> list[str]:
    """Different texts for different things, whatever shortening has made of them: ``a``, ``a (2)``."""
    found: dict[str, None] = {}
    for text in texts:
        one, number = text, 1
        while one in found:
            number += 1
            one = f"{text} ({number})"
        found[one] = None
    return list(found)


def isolated(text: str) -> str:
    """For a sentence: keeps text that is read from right to left from turning the words around it."""
    if any(unicodedata.bidirectional(letter) in ("R", "AL", "AN") for letter in text):
        return f"\u2068{text}\u2069"
    return text


def folder_name(name: str) -> str:
    """The name of the folder that a study of this name has under ``runs``; different for different names.

    What would lead elsewhere (``..``, slashes), hide the folder or look like an option is written ``%2E`` and
    the like; so are control characters.
    """
    made = re.sub(r"[/\\%\x00-\x1f\x7f]|^[.~-]", lambda found: quote_one(found[0]), name)
    made = "".join(quote_one(letter) if _acts(letter) else letter for letter in made) or "%"
    if len(made.encode()) > 200:
        made = (
            f"{made.encode()[:180].decode(errors='ignore')}%{hashlib.sha256(name.encode()).hexdigest()[:12]}"
        )
    return made


def quote_one(letter: str) -> str:
    """``%2E`` for a full stop."""
    coded = quote(letter.encode(errors="surrogatepass"), safe="")
    return coded if coded != letter else f"%{ord(letter):02X}"


def command(words: Iterable[str]) -> str:
    """Words as a line for a shell, which takes none of them for more than it is."""
    return " ".join(shlex.quote(word) for word in words)


def path_argument(path: str) -> str:
    """A file's name as an argument that no program takes for an option."""
    return f"./{path}" if path.startswith("-") else path


def _acts(letter: str) -> bool:
    kind = unicodedata.category(letter)
    return kind in ("Cc", "Cs", "Zl", "Zp") or (kind == "Cf" and letter not in JOINERS)
