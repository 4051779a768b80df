"""Small pictures of two-dimensional worlds, painted directly into an array."""

import colorsys
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
"""Red, green, blue in 0 .. 255."""

SIDE = 300
"""Pixels of the longer side of a picture, unless an environment is asked for another."""

AGENT_COLOURS: tuple[Colour, ...] = (
    *((0, 114, 178), (196, 78, 0), (0, 121, 90), (162, 70, 127), (147, 102, 0)),
    *((63, 63, 70), (43, 135, 187), (122, 46, 29), (102, 117, 0), (91, 63, 168)),
)
"""Colours of agents, which the colour-blind can tell apart; numbers tell agents apart that share one."""

OUTLINE = (200, 200, 200)
OUTLINE_PIXELS, RIM_PIXELS = 2, 1
SMALLEST_TEXT, LARGEST_TEXT, TEXT_SHARE = 8, 22, 1.2  # pixels; of a disc's radius


@dataclass(frozen=True, slots=True)
class Disc:
    """A filled disc in world coordinates, y upwards; colour is red, green, blue in 0 .. 255.

    A `rim` is a white line around it, which separates it from discs of the same colour that it touches or
    covers.
    """

    x: float
    y: float
    radius: float
    colour: Colour
    rim: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """Text around a point in world coordinates, as high as a disc of this radius allows.

    It is left out where that is too small to be read.
    """

    x: float
    y: float
    radius: float
    text: str
    colour: Colour


def numbered(disc: Disc, number: int, radius: float | None = None) -> list[Disc | Text]:
    """A disc with a number on it, in black or white, whichever can be read on its colour.

    `radius` is that of a larger disc below it, over which the number may reach.
    """
    return [disc, Text(disc.x, disc.y, radius or disc.radius, str(number), text_colour(disc.colour))]


def draw(
    discs: Sequence[Disc | Text], *, half_width: float, pixels: int = SIDE, square: float | None = None
) -> NDArray[np.uint8]:
    """`discs` in order on white: [-half_width, half_width]^2 as `[pixels, pixels, 3]`, with smooth edges.

    The grey outline of [-square, square]^2 is drawn below them and shows the scale.
    """
    image = np.full((pixels, pixels, 3), 255.0)
    centres = (np.arange(pixels) + 0.5) * (2 * half_width / pixels) - half_width
    scale = pixels / (2 * half_width)
    if square is not None:
        outwards = np.maximum(np.abs(centres)[None, :], np.abs(centres)[:, None]) - square
        image[np.abs(outwards) * scale < OUTLINE_PIXELS / 2] = OUTLINE
    for disc in discs:
        if isinstance(disc, Text):
            _write(image, disc, half_width, scale)
            continue
        reach = disc.radius + (RIM_PIXELS + 1) / scale
        columns = slice(*np.searchsorted(centres, [disc.x - reach, disc.x + reach]))
        rows = slice(*np.searchsorted(centres, [-disc.y - reach, -disc.y + reach]))
        distance = np.hypot(centres[None, columns] - disc.x, -centres[rows, None] - disc.y)
        outwards = (distance - disc.radius) * scale
        near = image[rows, columns]
        if disc.rim:
            near += np.clip(RIM_PIXELS + 0.5 - outwards, 0.0, 1.0)[..., None] * (255.0 - near)
        near += np.clip(0.5 - outwards, 0.0, 1.0)[..., None] * (np.array(disc.colour) - near)
    picture: NDArray[np.uint8] = np.rint(image).astype(np.uint8)
    return picture


def _write(image: NDArray[np.float64], text: Text, half_width: float, scale: float) -> None:
    size = min(round(TEXT_SHARE * text.radius * scale), LARGEST_TEXT)
    if size < SMALLEST_TEXT:
        return
    side = 3 * size
    column, row = (half_width + text.x) * scale, (half_width - text.y) * scale
    left, top = math.floor(column) - side // 2, math.floor(row) - side // 2
    mask = Image.new("L", (side, side))
    ImageDraw.Draw(mask).text((column - left, row - top), text.text, 255, _font(size), anchor="mm")
    near = image[max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)]
    cover = np.asarray(mask, dtype=float)[max(-top, 0) :, max(-left, 0) :][: near.shape[0], : near.shape[1]]
    near += cover[..., None] / 255 * (np.array(text.colour) - near)


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def text_colour(background: Colour) -> Colour:
    """Black or white, whichever can be read on this colour."""
    red, green, blue = background
    return (0, 0, 0) if 0.299 * red + 0.587 * green + 0.114 * blue > 150 else (255, 255, 255)


def agent_colours(count: int, palette: Sequence[Colour] = AGENT_COLOURS) -> tuple[Colour, ...]:
    """A colour for each of `count` agents; they repeat."""
    return tuple(palette[index % len(palette)] for index in range(count))


def view(furthest: float) -> float:
    """Half the width of a view with everything up to `furthest` from the middle: 1 or more, in halves.

    In steps, so that the view of a moving game is constant most of the time.
    """
    return max(1.0, math.ceil(2 * furthest) / 2)


def hues(count: int) -> list[Colour]:
    """`count` colours spread evenly around the colour wheel."""
    wheel = [colorsys.hsv_to_rgb(index / count, 0.75, 0.8) for index in range(count)]
    return [(round(255 * red), round(255 * green), round(255 * blue)) for red, green, blue in wheel]
