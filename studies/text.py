"""Text that people typed, such as labels, questions and names of studies, made safe to show.

Such text is shown in terminals, figures, pages and CSV files, which must not interpret it. Characters that
could have an effect (control characters, line breaks, bidirectional marks) are escaped here; each medium then
quotes its own markup. Files for programs, Parquet and JSON, keep the text unchanged.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import unicodedata
from collections.abc import Iterable, Sequence
from urllib.parse import quote

JOINERS = "\u200c\u200d"
"""Invisible characters that scripts and emoji need."""

LONG = 48
"""Maximum number of characters of a label in a figure."""


def visible(text: str, *, lines: bool = False) -> str:
    r"""The text with invisible and control characters escaped: ``\n``, ``\x1b``, ``\u202e``.

    Args:
        text: any text typed by a user.
        lines: whether to keep line breaks and tabs, as in messages of several lines.
    """
    kept = "\n\t" if lines else ""
    return "".join(
        letter if letter in kept or not _acts(letter) else letter.encode("unicode_escape").decode()
        for letter in text
    )


def label(text: str) -> str:
    """As :func:`visible`, with quotes around text that begins or ends with spaces or has nothing visible."""
    shown = visible(text)
    return f'"{shown}"' if shown != shown.strip() or not shown else shown


def shortened(text: str, most: int = LONG) -> str:
    """The text, reduced to its beginning and end if it is longer than ``most`` characters."""
    if len(text) <= most:
        return text
    begin = (most - 1) * 2 // 3
    return f"{text[:begin].rstrip()}…{text[begin + 1 - most :].lstrip()}"


def apart(texts: Sequence[str]) -> list[str]:
    """Distinct texts for distinct items, even if shortening has made them equal: ``a``, ``a (2)``."""
    found: dict[str, None] = {}
    for text in texts:
        one, number = text, 1
        while one in found:
            number += 1
            one = f"{text} ({number})"
        found[one] = None
    return list(found)


def isolated(text: str) -> str:
    """The text isolated for a sentence, so that right-to-left text does not reorder the words around it."""
    if any(unicodedata.bidirectional(letter) in ("R", "AL", "AN") for letter in text):
        return f"\u2068{text}\u2069"
    return text


def folder_name(name: str) -> str:
    """The name of the folder that a study of this name has under ``runs``; different for different names.

    Characters that would lead elsewhere (``..``, slashes), hide the folder or look like an option are escaped
    as ``%2E``, and so are control characters.
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
    """Words quoted as a shell command."""
    return " ".join(shlex.quote(word) for word in words)


def path_argument(path: str) -> str:
    """A file name as an argument that no program mistakes for an option."""
    return f"./{path}" if path.startswith("-") else path


def _acts(letter: str) -> bool:
    kind = unicodedata.category(letter)
    return kind in ("Cc", "Cs", "Zl", "Zp") or (kind == "Cf" and letter not in JOINERS)
