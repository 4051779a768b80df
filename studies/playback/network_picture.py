"""A small picture of a network with the packets of one policy update on its links."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from studies.playback.typeface import fitted, font
from studies.playback.update_packets import Packets, UpdatePackets
from testbed.environments.drawing import Colour, text_colour
from testbed.network.link_names import Link
from topologies import drawing

SMOOTH = 4
"""Lines are drawn so many times larger, and then reduced: Pillow draws them without smooth edges."""

DELIVERED, DROPPED, UNUSED, INK = (52, 88, 122), (213, 60, 0), (190, 190, 190), (40, 40, 40)
COUNTED = 12
"""Largest number of links that have their counts written on them."""

NUMBERED = 40
"""Largest number of nodes that have their numbers written on them."""

WIDEST, GAP, DASH = 6.0, 2.0, 6.0  # pixels

Point = NDArray[np.float64]


def network_picture(
    packets: UpdatePackets, colours: Sequence[Colour], width: int, height: int, text: int
) -> Image.Image:
    """The network, RGB ``[height, width]``: a solid line along each link as wide as its delivered packets are
    many, a dashed one for dropped packets, over lines of text that say which update this is.

    Args:
        packets: the network and its packets.
        colours: of the nodes, as those of their agents.
        width, height: pixels of the picture.
        text: pixels of its text.
    """
    lines = _lines(packets)
    top = round(1.45 * text) * len(lines)
    large = Image.new("RGB", (width * SMOOTH, (height - top) * SMOOTH), "white")
    graph, radius = packets.graph, max(3.0, min(0.9 * text, 80 / len(packets.graph) + 3))
    places = drawing.layout(graph)
    routes = drawing.routes(graph, places)
    shift, scale = _fit(np.concatenate([places, *routes]), (width, height - top), radius + text * 1.1)
    at = {node: shift + scale * place for node, place in zip(sorted(graph), places * [1, -1], strict=True)}
    ways: dict[Link, Point] = {
        (min(u, v), max(u, v)): shift + scale * route * [1, -1]
        for (u, v), route in zip(graph.edges, routes, strict=True)
    }
    counts = packets.links or {}
    for u, v in counts:  # links of a changing topology
        ways.setdefault((u, v), np.stack([at[u], at[v]]))
    most = max([1, *(max(each.delivered, each.dropped) for each in counts.values())])
    draw = ImageDraw.Draw(large)
    for link, way in ways.items():
        _link(draw, way, counts.get(link), most)
    for node, (x, y) in at.items():
        box = [SMOOTH * edge for edge in (x - radius, y - radius, x + radius, y + radius)]
        draw.ellipse(box, fill=colours[node], outline="white", width=SMOOTH)
    picture = Image.new("RGB", (width, height), "white")
    picture.paste(large.resize((width, height - top), Image.Resampling.LANCZOS), (0, top))
    draw = ImageDraw.Draw(picture)
    if len(at) <= NUMBERED:
        for node, (x, y) in at.items():
            size = max(8, round(1.15 * radius))
            draw.text((x, y + top), str(node), text_colour(colours[node]), font(size), anchor="mm")
    if counts and len(ways) <= COUNTED:
        for link, way in ways.items():
            _count(draw, way + np.array([0, top]), counts.get(link, Packets(0, 0)), max(text - 2, 9))
    for number, (words, colour) in enumerate(lines):
        draw.text(
            (0, round(1.45 * text * (number + 0.5))), fitted(words, text, width), colour, font(text), "lm"
        )
    return picture


def _lines(packets: UpdatePackets) -> list[tuple[str, Colour]]:
    if packets.links is None:
        return [(packets.title, INK)]
    delivered = sum(each.delivered for each in packets.links.values())
    dropped = sum(each.dropped for each in packets.links.values())
    return [
        (packets.title, INK),
        (f"solid: {delivered:,} delivered", DELIVERED),
        (f"dashed: {dropped:,} dropped", DROPPED),
    ]


def _fit(points: Point, size: tuple[int, int], margin: float) -> tuple[Point, float]:
    """Shift and scale that put points (y upwards) into a picture, around its middle."""
    flipped = points * [1, -1]
    low, high = flipped.min(axis=0), flipped.max(axis=0)
    room = np.maximum(np.array(size) - 2 * margin, 1)
    with np.errstate(divide="ignore"):
        scale = float(np.min(room / np.maximum(high - low, 1e-9)))
    return np.array(size) / 2 - scale * (low + high) / 2, scale


def _link(draw: ImageDraw.ImageDraw, way: Point, packets: Packets | None, most: int) -> None:
    if packets is None or not (packets.delivered or packets.dropped):
        _stroke(draw, way, UNUSED, 1.0)
        return
    solid, dashed = (
        1.0 + (WIDEST - 1.0) * count / most if count else 0.0
        for count in (packets.delivered, packets.dropped)
    )
    along = way[-1] - way[0]
    across = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-9)
    if packets.delivered:
        _stroke(draw, way, DELIVERED, solid)
    if packets.dropped:
        aside = across * ((solid + dashed) / 2 + GAP if packets.delivered else 0.0)
        for piece in _dashes(way + aside):
            _stroke(draw, piece, DROPPED, dashed)


def _stroke(draw: ImageDraw.ImageDraw, way: Point, colour: Colour, width: float) -> None:
    points = [(float(x), float(y)) for x, y in way * SMOOTH]
    draw.line(points, fill=colour, width=max(1, round(width * SMOOTH)), joint="curve")


def _dashes(way: Point) -> list[Point]:
    """Pieces of a line, each ``DASH`` pixels long, with as much between them."""
    lengths = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(way, axis=0).T))])
    starts = np.arange(DASH / 2, lengths[-1], 2 * DASH)
    ends = np.minimum(starts + DASH, lengths[-1])
    return [
        np.stack([np.interp(pair, lengths, way[:, axis]) for axis in (0, 1)], axis=1)
        for pair in np.stack([starts, ends], axis=1)
    ]


def _count(draw: ImageDraw.ImageDraw, way: Point, packets: Packets, size: int) -> None:
    """Counts in the middle of a link, on white."""
    words = [(f"{packets.delivered:,}", DELIVERED)]
    if packets.dropped:
        words.append((f"{packets.dropped:,}", DROPPED))
    width = sum(font(size).getlength(word) for word, _ in words) + 4 * (len(words) - 1)
    x, y = way.mean(axis=0)
    left = x - width / 2
    draw.rectangle((left - 1, y - 0.55 * size, left + width + 1, y + 0.55 * size), fill="white")
    for word, colour in words:
        draw.text((left, y), word, colour, font(size), anchor="lm")
        left += font(size).getlength(word) + 4
