"""Lays out films made by `testbed play` as one picture, a row of stills per film.

    python tests/benchmarks/contact_sheet.py sheet.png "title=film.gif" ["title=film.gif" ...]

Square films stand two in a row; of the others, everything above and below what moves is cut off.
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageSequence

from studies.playback.video import CAPTION_PIXELS

STILLS, WIDTH, GAP, TITLE_PIXELS, MARGIN = 4, 1288, 8, 22, 16
BORDER = (200, 200, 200)


def read(film: Path) -> NDArray[np.uint8]:
    """Frames [step, height, width, 3] without their captions."""
    with Image.open(film) as pictures:
        frames = [np.array(frame.convert("RGB")) for frame in ImageSequence.Iterator(pictures)]
    return np.stack(frames)[:, :-CAPTION_PIXELS]


def moving(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The rows of pixels in which anything ever changes, and a margin."""
    rows = np.flatnonzero((frames != frames[0]).any(axis=(0, 2, 3)))
    return frames[:, max(rows[0] - MARGIN, 0) : rows[-1] + MARGIN]


def strip(title: str, frames: NDArray[np.uint8], width: int) -> Image.Image:
    """Stills from the first frame to the last, evenly spaced, under their title."""
    steps = np.linspace(0, len(frames) - 1, STILLS).round().astype(int).tolist()
    across = (width - (STILLS - 1) * GAP) // STILLS
    height = round(across * frames.shape[1] / frames.shape[2])
    sheet = Image.new("RGB", (width, TITLE_PIXELS + height), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((0, 3), title, fill="black", font=ImageFont.load_default(14))
    for place, step in enumerate(steps):
        left = place * (across + GAP)
        still = Image.fromarray(frames[step]).resize((across, height), Image.Resampling.LANCZOS)
        sheet.paste(still, (left, TITLE_PIXELS))
        draw.rectangle((left, TITLE_PIXELS, left + across - 1, TITLE_PIXELS + height - 1), outline=BORDER)
        draw.text((left + 4, TITLE_PIXELS + 2), f"step {step}", fill="black", font=ImageFont.load_default(11))
    return sheet


def main(target: Path, films: list[str]) -> None:
    """Writes the sheet."""
    half: list[Image.Image] = []
    rows: list[Image.Image] = []
    for film in films:
        title, _, path = film.partition("=")
        frames = read(Path(path))
        if frames.shape[1] == frames.shape[2]:
            half.append(strip(title, frames, (WIDTH - 2 * GAP) // 2))
        else:
            rows.append(strip(title, moving(frames), WIDTH))
    for left in reversed(range(0, len(half), 2)):
        row = Image.new("RGB", (WIDTH, half[left].height), "white")
        for place, image in enumerate(half[left : left + 2]):
            row.paste(image, (place * (WIDTH - image.width), 0))
        rows.insert(0, row)
    sheet = Image.new("RGB", (WIDTH + 2 * GAP, sum(row.height + GAP for row in rows) + GAP), "white")
    top = GAP
    for row in rows:
        sheet.paste(row, (GAP, top))
        top += row.height + GAP
    sheet.save(target, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
