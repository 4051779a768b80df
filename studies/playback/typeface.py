"""Text in films: a font that comes with matplotlib, so that films are the same on every machine."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import matplotlib as mpl
from PIL import ImageFont


@lru_cache
def font(pixels: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, whose letters cover more names of places than Pillow's own font."""
    return ImageFont.truetype(str(Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), pixels)


def fitted(text: str, pixels: int, width: float) -> str:
    """The text, its end replaced by an ellipsis if it is wider than ``width`` pixels."""
    if font(pixels).getlength(text) <= width:
        return text
    while text and font(pixels).getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text.rstrip()}…"
