"""Frames of a film: the world, and beside or below it each agent's rewards and the network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from studies.formatting import minus
from studies.playback.moment import Moment
from studies.playback.network_picture import network_picture
from studies.playback.typeface import fitted, font
from studies.playback.update_packets import UpdatePackets
from testbed.environments.drawing import Colour, text_colour

WIDTH, NARROWEST, WIDEST = 800, 480, 1920
"""Pixels: the default width of a film, and its limits."""

SHARE = 0.6
"""Share of the width that the world has if the panel is beside it."""

WIDE = 1.45
"""Ratio of width to height from which the panel is below the world."""

ROWS = 24
"""Largest number of rows of agents; the agents beyond share the last row."""

INK, FAINT, TRACK = (30, 30, 30), (110, 110, 110), (238, 238, 238)


def world_width(width: int, ratio: float) -> int:
    """Pixels of the world's width in a film, for its ratio of width to height."""
    return width if ratio >= WIDE else round(SHARE * width)


@dataclass
class FilmFrames:
    """Draws the moments of episodes as frames of one film, all of the same, even size.

    Attributes:
        width: pixels of a frame's width.
        names: of the agents.
        colours: of the agents' markers.
        packets: the network, and the packets of a policy update on it; None: none is shown.
    """

    width: int
    names: Sequence[str]
    colours: Sequence[Colour]
    packets: UpdatePackets | None = None
    _static: Image.Image | None = field(default=None, init=False, repr=False)
    _scale: float = field(default=0.0, init=False, repr=False)
    _boxes: dict[str, tuple[int, int, int, int]] = field(default_factory=dict, init=False, repr=False)

    def draw(self, moment: Moment) -> Image.Image:
        """The frame of one moment; bars of returns are relative to the largest return so far."""
        if self._static is None:
            self._static = self._layout(moment.picture)
        frame = self._static.copy()
        left, top, width, height = self._boxes["world"]
        world = fit(moment.picture, width, height)
        frame.paste(world, (left + (width - world.width) // 2, top + (height - world.height) // 2))
        draw = ImageDraw.Draw(frame)
        draw.text((self._pad, self._head // 2), moment.heading, INK, font(self._text + 2), anchor="lm")
        self._scale = max(self._scale, nice(float(np.abs(moment.returns).max())))
        self._rewards(draw, moment)
        return frame

    @property
    def _text(self) -> int:
        return max(11, round(self.width / 62))

    @property
    def _pad(self) -> int:
        return round(0.7 * self._text)

    @property
    def _head(self) -> int:
        return 2 * self._text + 4

    @property
    def _row(self) -> int:
        return round(1.6 * self._text)

    def _layout(self, picture: NDArray[np.uint8]) -> Image.Image:
        """All that stays the same, and the places of all that does not."""
        rows = min(len(self.names), ROWS) + 1
        ratio = picture.shape[1] / picture.shape[0]
        width = world_width(self.width, ratio)
        high = min(round(width / ratio), round(1.25 * width))
        table = rows * self._row + self._pad
        network = 0 if self.packets is None else max(round(15 * self._text), 150)
        if ratio >= WIDE:
            half = self.width // 2 if self.packets is not None else self.width
            below = max(table, network)
            size = self.width, self._head + high + self._pad + below + self._pad
            top = self._head + high + self._pad
            self._boxes = {
                "world": (0, self._head, width, high),
                "table": (self._pad, top, min(half - 2 * self._pad, 36 * self._text), table),
                "network": (half + self._pad, top, self.width - half - 2 * self._pad, below),
            }
        else:
            size = self.width, self._head + max(high, table + network + 2 * self._pad)
            rest = size[1] - self._head - table - self._pad
            side = self.width - width - 2 * self._pad
            self._boxes = {
                "world": (0, self._head, width, size[1] - self._head),
                "table": (width + self._pad, self._head, side, table),
                "network": (width + self._pad, self._head + table, side, rest),
            }
        # Even sides: the usual encoders of MP4 halve the resolution of colours.
        frame = Image.new("RGB", (size[0] + size[0] % 2, size[1] + size[1] % 2), "white")
        if self.packets is not None:
            left, top, wide, deep = self._boxes["network"]
            colours = [self.colours[node] for node in range(len(self.names))]
            frame.paste(network_picture(self.packets, colours, wide, deep, self._text), (left, top))
        return frame

    def _rewards(self, draw: ImageDraw.ImageDraw, moment: Moment) -> None:
        left, top, width, _ = self._boxes["table"]
        text, row = self._text, self._row
        numbers = round(4.3 * text)
        right, middle = left + width, left + width - numbers
        bar = round(0.26 * width)
        name = middle - numbers - bar - self._pad - left
        y = top + row / 2
        draw.text((left, y), "agent", FAINT, font(text), anchor="lm")
        draw.text((middle, y), "return", FAINT, font(text), anchor="rm")
        draw.text((right, y), "step", FAINT, font(text), anchor="rm")
        for agents in self._groups():
            y += row
            alone = agents[0] if len(agents) == 1 else None
            words = f"{len(agents)} others" if alone is None else self.names[alone]
            chip = round(1.3 * text)
            colour = FAINT if alone is None else self.colours[alone]
            draw.rounded_rectangle((left, y - chip / 2, left + chip, y + chip / 2), radius=3, fill=colour)
            if alone is not None:
                draw.text((left + chip / 2, y), str(alone), text_colour(colour), font(text - 2), anchor="mm")
            draw.text(
                (left + chip + 5, y), fitted(words, text, name - chip - 8), INK, font(text), anchor="lm"
            )
            total, reward = (float(values[agents].sum()) for values in (moment.returns, moment.rewards))
            self._bar(draw, (left + name, y, bar), total, colour)
            draw.text((middle, y), number_text(total), INK, font(text), anchor="rm")
            draw.text((right, y), number_text(reward), INK, font(text), anchor="rm")

    def _groups(self) -> list[list[int]]:
        agents = list(range(len(self.names)))
        if len(agents) <= ROWS:
            return [[agent] for agent in agents]
        return [*([agent] for agent in agents[: ROWS - 1]), agents[ROWS - 1 :]]

    def _bar(
        self, draw: ImageDraw.ImageDraw, place: tuple[float, float, float], value: float, colour: Colour
    ) -> None:
        """A bar from the middle of its track, to the left if the value is negative."""
        left, y, width = place
        half, zero = 0.3 * self._text, left + width / 2
        draw.rectangle((left, y - half, left + width, y + half), fill=TRACK)
        share = max(-1.0, min(1.0, value / self._scale)) if self._scale else 0.0
        end = zero + share * width / 2
        if abs(end - zero) >= 0.5:
            draw.rectangle((min(zero, end), y - half, max(zero, end), y + half), fill=colour)
        draw.line((zero, y - half - 2, zero, y + half + 2), fill=FAINT)


def fit(picture: NDArray[np.uint8], width: int, height: int) -> Image.Image:
    """A picture as large as it fits: enlarged by whole numbers, so that pixels stay sharp, or reduced."""
    image = Image.fromarray(picture)
    share = min(width / image.width, height / image.height)
    if share >= 2:
        factor = math.floor(share)
        return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    if share >= 1:
        return image
    size = max(1, round(image.width * share)), max(1, round(image.height * share))
    return image.resize(size, Image.Resampling.LANCZOS)


def nice(value: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is at least ``value``; 0 for 0."""
    if not value or not math.isfinite(value):
        return 0.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value * (1 - 1e-12))


def number_text(value: float) -> str:
    """A number in at most eight characters, with a minus sign that is as wide as a plus."""
    words = f"{value:.2f}" if abs(value) < 1000 else f"{value:.0f}" if abs(value) < 1e6 else f"{value:.1e}"
    return minus(words)
