"""Small pictures of two-dimensional worlds, painted directly into an array."""

import colorsys
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

OUTLINE = (200, 200, 200)
OUTLINE_PIXELS, RIM_PIXELS = 2, 1


@dataclass(frozen=True, slots=True)
class Disc:
    """A filled disc in world coordinates, y upwards; colour is red, green, blue in 0 .. 255.

    A `rim` is a white line around it, which separates it from discs of the same colour that it touches or
    covers.
    """

    x: float
    y: float
    radius: float
    colour: tuple[int, int, int]
    rim: bool = False


def draw(
    discs: Sequence[Disc], *, half_width: float, pixels: int = 300, square: float | None = None
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


def view(furthest: float) -> float:
    """Half the width of a view with everything up to `furthest` from the middle: 1 or more, in halves.

    In steps, so that the view of a moving game is constant most of the time.
    """
    return max(1.0, math.ceil(2 * furthest) / 2)


def hues(count: int) -> list[tuple[int, int, int]]:
    """`count` colours spread evenly around the colour wheel."""
    wheel = [colorsys.hsv_to_rgb(index / count, 0.75, 0.8) for index in range(count)]
    return [(round(255 * red), round(255 * green), round(255 * blue)) for red, green, blue in wheel]
