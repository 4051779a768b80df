"""Small pictures of flat worlds, painted straight into an array."""

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Disc:
    """A filled disc in world coordinates, y upwards; colour is red, green, blue in 0 .. 255."""

    x: float
    y: float
    radius: float
    colour: tuple[int, int, int]


def draw(discs: Sequence[Disc], *, half_width: float, pixels: int = 300) -> NDArray[np.uint8]:
    """`discs` in order on white: [-half_width, half_width]^2 as `[pixels, pixels, 3]`, with smooth rims."""
    image = np.full((pixels, pixels, 3), 255.0)
    centres = (np.arange(pixels) + 0.5) * (2 * half_width / pixels) - half_width
    for disc in discs:
        distance = np.hypot(centres[None, :] - disc.x, -centres[:, None] - disc.y)
        inside = np.clip((disc.radius - distance) * (pixels / (2 * half_width)) + 0.5, 0.0, 1.0)[..., None]
        image += inside * (np.array(disc.colour) - image)
    picture: NDArray[np.uint8] = np.rint(image).astype(np.uint8)
    return picture


def hues(count: int) -> list[tuple[int, int, int]]:
    """`count` colours spread evenly round the colour wheel."""
    wheel = [colorsys.hsv_to_rgb(index / count, 0.75, 0.8) for index in range(count)]
    return [(round(255 * red), round(255 * green), round(255 * blue)) for red, green, blue in wheel]
