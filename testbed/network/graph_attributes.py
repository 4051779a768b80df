"""Link settings in the attributes of a graph's edges, as found in published files.

* A setting of a link under its own name: `delay`, `jitter`, `loss`, `rate` and so on, written as in a study
  file. A bare duration is in seconds, a bare rate in bytes per second, unless the edge or the graph has
  `delay_unit`, `jitter_unit` or `rate_unit`.
* FNSS (Saino, Cocora & Pavlou 2013): `delay` with `delay_unit` (ns, us, ms, s, min or longer names),
  `capacity` with `capacity_unit` (Mbps, Gbit/s, MBps and so on; a small b is a bit, a large B a byte), which
  becomes `rate`, and `buffer` with `buffer_unit` packets, which becomes `limit`.
* Internet Topology Zoo: `LinkSpeedRaw`, bits per second, becomes `rate`.

An attribute that looks like a link setting and is none of these (`bandwidth`, `latency`, a `capacity` without
a unit) is refused, and so is a bare number where the file has a unit for something else only. All other
attributes (`weight`, `length`, `label`, `LinkLabel`) say nothing about links here.
"""

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from numbers import Real
from typing import Any

import numpy as np

from testbed.common.units import RATES
from testbed.network.impairments.link_settings import LinkOverride

_SETTINGS = {re.sub("_", "", name): name for name in LinkOverride.model_fields}

_TIMES = {
    word: unit
    for unit, words in {
        "ns": "ns nsec nanosec nanosecond nanoseconds",
        "us": "us µs usec microsec microsecond microseconds",
        "ms": "ms msec millisec millisecond milliseconds",
        "s": "s sec second seconds",
        "min": "min minute minutes",
        "h": "h hour hours",
    }.items()
    for word in words.split()
}
"""FNSS's names of units of time, and a few more, by the unit's name here."""

_CAPACITIES = {
    prefix + word: factor * size
    for words, size in ((("bps", "bit/s", "bit", "b"), Decimal("0.125")), (("Bps", "B/s", "B"), Decimal(1)))
    for word in words
    for prefix, factor in (
        ("", Decimal(1)),
        ("k", Decimal(10) ** 3),
        ("K", Decimal(10) ** 3),
        ("M", Decimal(10) ** 6),
        ("G", Decimal(10) ** 9),
        ("T", Decimal(10) ** 12),
    )
} | {word: size for word, size in RATES.items() if word.endswith("bit")}
"""Bytes per second in FNSS's units of capacity, and in those of tc that name bits."""

_PACKETS = ("packet", "packets", "pkt", "pkts")

_UNITS = ("delay", "jitter", "rate", "capacity", "buffer")
"""Attributes that can have their own unit."""

_OTHER_UNITS = ("distance", "length", "weight", "cost", "linkspeed")
"""Other attributes that may have a unit in a file and are not settings."""

# Parts of names, and whole words in them, that suggest a link setting.
_PARTS = (
    *("delay", "latency", "jitter", "bandwidth", "capacity", "throughput", "speed", "bitrate", "datarate"),
    *("packetloss", "lossrate", "queue", "buffer"),
)
_WORDS = frozenset(("rate", "loss", "drop", "drops", "lag", "rtt", "ping", "bw", "plr"))

_INSTEAD = {
    "latency": "delay, such as 5ms",
    "lag": "delay, such as 5ms",
    "rtt": "delay, half of it, such as 5ms",
    "ping": "delay, half of it, such as 5ms",
    "bandwidth": "rate, such as 10mbit",
    "bw": "rate, such as 10mbit",
    "throughput": "rate, such as 10mbit",
    "speed": "rate, such as 10mbit",
    "bitrate": "rate, such as 10mbit",
    "datarate": "rate, such as 10mbit",
    "packetloss": "loss, from 0 to 1",
    "drop": "loss, from 0 to 1",
    "plr": "loss, from 0 to 1",
    "buffer": "limit, in packets",
    "queue": "limit, in packets",
}


def stated_settings(attributes: Mapping[str, Any], of_graph: Mapping[str, Any]) -> dict[str, Any]:
    """The link settings that an edge's attributes state, as a study file would write them.

    `of_graph` are the attributes of the whole graph, which give the units.

    Raises:
        ValueError: an attribute looks like a link setting and is not understood; one line.
    """
    stated: dict[str, Any] = {}
    if not attributes:
        return stated
    origin: dict[str, str] = {}
    units = {**_units(of_graph), **_units(attributes)}
    for name, raw in attributes.items():
        value = raw.item() if isinstance(raw, np.generic) else raw
        found = _setting(str(name), value, units, attributes)
        if found is None:
            continue
        setting, meant = found
        if setting in stated:
            raise ValueError(f"{origin[setting]} and {name} both give the {setting}: remove one")
        stated[setting], origin[setting] = meant, str(name)
    return stated


def check_graph_attributes(of_graph: Mapping[str, Any]) -> None:
    """Raise ValueError if the graph as a whole has an attribute that only links can have, such as a delay."""
    for name, value in of_graph.items():
        plain = _plain(str(name))
        if _unit_of(plain) is None and (plain in _SETTINGS or _speaks_of_links(str(name))):
            raise ValueError(
                f"{name} = {_shown(value)} belongs to links, not to the whole graph: set it on each link, or"
                " as network.link in the study, and remove it here"
            )


def _setting(
    name: str, value: Any, units: Mapping[str, tuple[str, str]], attributes: Mapping[str, Any]
) -> tuple[str, Any] | None:
    """Setting and value that one attribute states; None if it is not about what links do."""
    plain = _plain(name)
    if _unit_of(plain) is not None:
        return None
    if name in ("round_trips", "trace"):
        raise ValueError(
            f"{name} = {_shown(value)}: a graph cannot name a file: set it in the study, under"
            " network.links or network.classes"
        )
    if name == "capacity":
        return "rate", _capacity(name, value, units)
    if name == "buffer":
        unit = units.get("buffer")
        if unit is None or unit[1].lower() not in _PACKETS:
            said = "has no buffer_unit" if unit is None else f"is in {unit[1]!r}"
            raise ValueError(
                f"buffer = {_shown(value)} {said}: must be in packets; or give limit, in packets"
            )
        return "limit", value
    if name == "LinkSpeedRaw":
        return "rate", _capacity(name, value, {"capacity": ("", "bps")})
    if plain == "linkspeed" and "LinkSpeedRaw" in attributes:
        return None  # repeats another attribute in readable form
    if name in LinkOverride.model_fields:
        return name, _with_unit(name, value, units)
    if plain in _SETTINGS:
        raise ValueError(
            f"{name} = {_shown(value)} is not a link setting: did you mean {_SETTINGS[plain]!r}?"
        )
    if _speaks_of_links(name):
        instead = next((words for part, words in _INSTEAD.items() if part in plain), "")
        advice = f"give {instead}" if instead else f"the settings are {', '.join(LinkOverride.model_fields)}"
        raise ValueError(
            f"{name} = {_shown(value)} looks like a link setting but is not one: {advice}, or remove it"
        )
    return None


def _with_unit(name: str, value: Any, units: Mapping[str, tuple[str, str]]) -> Any:
    """A duration or a rate with the unit that the file has for it."""
    if name not in ("delay", "jitter", "rate") or not _is_bare(value):
        return value
    if name not in units:
        if name == "rate" and "capacity" in units:
            return _capacity(name, value, units)
        if units:
            other, unit = next(iter(units.values()))
            raise ValueError(
                f"{name} = {_shown(value)} has no unit, but the file has {other} = {unit!r}: add {name}_unit,"
                f" or write the unit with the number, such as {'10mbit' if name == 'rate' else '5ms'}"
            )
        return value
    written, unit = units[name]
    if name == "rate":
        return _capacity(name, value, {"capacity": units[name]})
    word = _TIMES.get(unit.lower())
    if word is None:
        raise ValueError(f"{written} = {unit!r} is not a unit of time: must be one of {', '.join(_TIMES)}")
    return f"{str(value).strip()}{word}"


def _capacity(name: str, value: Any, units: Mapping[str, tuple[str, str]]) -> float:
    """Bytes per second of a capacity, a number with the unit of the file or text with its own."""
    match = re.fullmatch(r"\s*([^\sa-zA-Z]+(?:e[+-]?\d+)?)\s*([a-zA-Z/]*)\s*", str(value))
    written, unit = units.get("capacity", ("", ""))
    if match is not None and match.group(2):
        written, unit = name, match.group(2)
    example = "such as capacity_unit: Mbps, or give rate, such as 10mbit"
    if match is None or not _is_bare(match.group(1)) or isinstance(value, bool):
        raise ValueError(
            f"{name} = {_shown(value)} is not a capacity: must be a number above 0 with a unit, {example}"
        )
    if not unit:
        raise ValueError(f"{name} = {_shown(value)} has no unit: add one, {example}")
    if unit not in _CAPACITIES:
        raise ValueError(
            f"{written} has the unit {unit!r}, which is not a unit of capacity: must be such as bps, kbps,"
            " Mbps, Gbps, Mbit/s (bits) or MBps, MB/s (bytes)"
        )
    try:
        amount = float(Decimal(match.group(1)) * _CAPACITIES[unit])
    except ArithmeticError:  # Decimal's own overflow
        amount = math.inf
    if not 0 < amount < math.inf:
        raise ValueError(f"{name} = {_shown(value)} is not a capacity: must be finite and above 0")
    return amount


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_bare(value: Any) -> bool:
    """Whether a value is a number without a unit, as such or as text."""
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return False
        return True
    return isinstance(value, Real) and not isinstance(value, bool)


def _units(attributes: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Attribute with a unit -> the attribute that gives the unit, as written, and the unit."""
    found = {}
    for name, value in attributes.items():
        of = _unit_of(_plain(str(name)))
        if of is not None and of not in _OTHER_UNITS:
            found[of] = str(name), str(value).strip()
    return found


@lru_cache(maxsize=1024)
def _unit_of(plain: str) -> str | None:
    """The attribute whose unit this one gives; itself if unknown; None if it gives no unit."""
    match = re.fullmatch("(.*?)s?units?", plain)
    if match is None:
        return None
    return match.group(1) if match.group(1) in (*_UNITS, *_OTHER_UNITS) else plain


@lru_cache(maxsize=1024)
def _speaks_of_links(name: str) -> bool:
    words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}
    return bool(words & _WORDS) or any(part in _plain(name) for part in _PARTS)


@lru_cache(maxsize=1024)
def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
