"""Fonts for text in any script: installed fonts are searched for the characters that figures need."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

BASE = ("sans-serif", "DejaVu Sans")
"""Preferred fonts; the second comes with matplotlib, and has the characters of axes and captions."""


def families(texts: Iterable[str]) -> tuple[list[str], str]:
    """Font families that together cover some texts, and the characters that no installed font has."""
    letters = {letter for text in texts for letter in text if not letter.isspace()}
    missing = {ord(letter) for letter in letters} - _letters(font_manager.findfont("DejaVu Sans"))
    found = list(BASE)
    if not missing:
        return list(BASE), ""
    # Chinese, Japanese and Korean share characters that each writes in its own way.
    kana, hangul = (any(a <= code <= b for code in missing) for a, b in ((0x3040, 0x30FF), (0xAC00, 0xD7A3)))
    best = f"Noto Sans CJK {'JP' if kana else 'KR' if hangul else 'SC'}"
    fonts = sorted(
        {(entry.name, entry.fname) for entry in font_manager.fontManager.ttflist if _usable(entry)},
        key=lambda font: (font[0] != best, "Sans CJK" not in font[0], "Noto Sans" not in font[0], *font),
    )
    for name, file in fonts:
        if not missing:
            break
        if name not in found and (has := missing & _letters(file)):
            found.append(name)
            missing -= has
    return found, "".join(map(chr, sorted(missing)))


def complaint(texts: Iterable[str]) -> str | None:
    """Return a line that names the characters of some texts that no installed font has; None if none lack."""
    _, missing = families(texts)
    if not missing:
        return None
    more = f" and {len(missing) - 12} more" if len(missing) > 12 else ""
    named = f"the letter{'s' * (len(missing) > 1)} {' '.join(missing[:12])}{more}"
    return f"no installed font has {named}: figures have empty boxes there"


@contextmanager
def fitting(texts: Iterable[str]) -> Iterator[None]:
    """Let matplotlib draw texts by fonts that have their characters; for the others see :func:`complaint`."""
    found, _ = families(texts)
    with mpl.rc_context({"font.family": found}), quiet():
        yield


@contextmanager
def quiet() -> Iterator[None]:
    """Suppresses the warning for each missing character: :func:`families` reports them all at once."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .*missing from")
        yield


def _usable(entry: font_manager.FontEntry) -> bool:
    """Upright fonts of normal weight with outlines, not the coloured bitmaps of emoji."""
    return (
        entry.style == "normal"
        and entry.weight in (400, "normal", "regular", "book")
        and ("Color" not in entry.name and "Last Resort" not in entry.name)
    )


@lru_cache(maxsize=256)
def _letters(file: str) -> frozenset[int]:
    try:
        return frozenset(FT2Font(file).get_charmap())
    except (OSError, RuntimeError):  # an installed font that is damaged
        return frozenset()
