"""Distributions of the propagation delay, one row of `LAWS` each.

`delay` d and `jitter` j mean, as in netem, a location and a spread; netem has the distributions `uniform`,
`normal` and `pareto` of these. The distributions before clipping are:

Negative samples are clipped at 0, which raises the mean where j is not small against d. Standard values are
drawn first and scaled afterwards, so two conditions that differ only in d and j see the same random numbers
(with `gamma`, only if d/j is the same as well).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, log, sqrt
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from testbed.network.impairments.link_trace import LinkTrace
from testbed.network.impairments.reorder import Reorder
from testbed.network.impairments.round_trips import one_way_delays

Sampler = Callable[[np.random.Generator, int], NDArray[np.float64]]
"""Draws values from a generator: shape [count]."""

Scaled = Callable[[float, float], Sampler]
"""The sampler of delays in seconds for a delay and a jitter, both in seconds."""

Place = Callable[[float, float, float], float]
"""The delay that a standard value of a distribution becomes, given delay and jitter: all in seconds but the
value."""


class DelaySettings(Protocol):
    """The settings of a link that its delay depends on."""

    @property
    def distribution(self) -> str:
        """The name of a law."""

    @property
    def delay(self) -> float:
        """Seconds."""

    @property
    def jitter(self) -> float:
        """Seconds."""

    @property
    def round_trips(self) -> Path | None:
        """A file of measured times."""

    @property
    def trace(self) -> LinkTrace | None:
        """A trace that may have the delay and the jitter instead."""

    @property
    def reordering(self) -> Reorder:
        """Which packets skip the delay."""


@dataclass(frozen=True)
class DelayLaw:
    """A delay distribution.

    Attributes:
        name: its name in study files.
        about: its description in the reference.
        scaled: makes its sampler; None where the distribution has no spread.
        lowest: lower bound of the delay, in jitters from its mean; None if no bound is above 0.
        needs_mean: whether a jitter needs a delay above 0.
        measured: whether the delays are those of `round_trips`, without delay and jitter.

    A distribution whose `scaled` has `standard` values, as those of `location_scale` have, can follow a trace
    of the delay or the jitter.
    """

    name: str
    about: str
    scaled: Scaled | None = None
    lowest: float | None = None
    needs_mean: bool = False
    measured: bool = False


@dataclass(frozen=True)
class Placed:
    """A distribution of standard values, each of which becomes a delay by the delay and the jitter of its
    packet.

    Attributes:
        standard: draws the standard values.
        place: makes a delay of one of them.
        place_all: makes delays of an array of them.
    """

    standard: Sampler
    place: Place
    place_all: Callable[[NDArray[np.float64], float, float], NDArray[np.float64]]

    def __call__(self, delay: float, jitter: float) -> Sampler:
        """The sampler for a delay and a jitter that do not change, in seconds."""
        return lambda generator, count: self.place_all(self.standard(generator, count), delay, jitter)


def location_scale(standard: Sampler) -> Placed:
    """A distribution that is shifted and scaled: the delay is d + j times a standard value, clipped at 0."""
    return Placed(
        standard,
        lambda value, delay, jitter: max(delay + jitter * value, 0.0),
        lambda values, delay, jitter: np.maximum(delay + jitter * values, 0.0),
    )


def _uniform(generator: np.random.Generator, count: int) -> NDArray[np.float64]:
    return 2.0 * generator.random(count) - 1.0


def _normal(generator: np.random.Generator, count: int) -> NDArray[np.float64]:
    return generator.standard_normal(count)


def _lognormal_parameters(delay: float, jitter: float) -> tuple[float, float]:
    variance = log(1.0 + (jitter / delay) ** 2)
    return log(delay) - variance / 2, sqrt(variance)


def _lognormal(value: float, delay: float, jitter: float) -> float:
    mu, sigma = _lognormal_parameters(delay, jitter)
    return exp(mu + sigma * value)


def _lognormals(values: NDArray[np.float64], delay: float, jitter: float) -> NDArray[np.float64]:
    mu, sigma = _lognormal_parameters(delay, jitter)
    return np.exp(mu + sigma * values)


def _exponential(generator: np.random.Generator, count: int) -> NDArray[np.float64]:
    return generator.standard_exponential(count) - 1.0


def _gamma(delay: float, jitter: float) -> Sampler:
    shape, scale = (delay / jitter) ** 2, jitter**2 / delay
    return lambda generator, count: scale * generator.standard_gamma(shape, count)


_PARETO_SHAPE = 3.0
_PARETO_MEAN = _PARETO_SHAPE / (_PARETO_SHAPE - 1)
_PARETO_DEVIATION = sqrt(_PARETO_SHAPE / (_PARETO_SHAPE - 2)) / (_PARETO_SHAPE - 1)
_PARETO_LOWEST = (1.0 - _PARETO_MEAN) / _PARETO_DEVIATION


def _pareto(generator: np.random.Generator, count: int) -> NDArray[np.float64]:
    classical = np.exp(generator.standard_exponential(count) / _PARETO_SHAPE)
    return (classical - _PARETO_MEAN) / _PARETO_DEVIATION


_ROWS = (
    DelayLaw("constant", "d; the jitter must be 0."),
    DelayLaw(
        "uniform",
        "uniform on [d - j, d + j]: j is half the width (netem without a distribution), j / sqrt(3) the"
        " standard deviation.",
        location_scale(_uniform),
        lowest=-1.0,
    ),
    DelayLaw(
        "normal",
        "mean d, standard deviation j (netem's table ends at d - 4 j and d + 4 j).",
        location_scale(_normal),
    ),
    DelayLaw(
        "lognormal",
        "exp(mu + sigma z) with mean d and standard deviation j: sigma^2 = ln(1 + (j/d)^2),"
        " mu = ln d - sigma^2 / 2.",
        Placed(_normal, _lognormal, _lognormals),
        needs_mean=True,
    ),
    DelayLaw(
        "exponential",
        "d - j + an exponential of mean j: mean d, standard deviation j, never below d - j. With j = d it is"
        " the ordinary exponential.",
        location_scale(_exponential),
        lowest=-1.0,
    ),
    DelayLaw("gamma", "shape (d/j)^2, scale j^2/d: mean d, standard deviation j.", _gamma, needs_mean=True),
    DelayLaw(
        "pareto",
        "Pareto of shape 3, shifted and scaled to mean d and standard deviation j, never below"
        " d - j / sqrt(3). Unlike netem: iproute2's table has the same shape, but is scaled to a standard"
        " deviation of 2 j / sqrt(3) and ends at d + 4 j.",
        location_scale(_pareto),
        lowest=_PARETO_LOWEST,
    ),
    DelayLaw(
        "empirical",
        "one of the measured delays of `testbed.network.impairments.round_trips`, each equally likely; d and"
        " j unused.",
        measured=True,
    ),
)

LAWS = {law.name: law for law in _ROWS}
"""All distributions by name, in the order of the reference."""


def sampler(link: DelaySettings) -> Sampler | None:
    """A function that draws delays in seconds, shape [count]; None if the delay is always the same."""
    law = LAWS[link.distribution]
    if law.measured and link.round_trips is not None:
        measured = one_way_delays(link.round_trips)
        return lambda generator, count: measured[(len(measured) * generator.random(count)).astype(np.int64)]
    if link.jitter == 0 or law.scaled is None:
        return None
    return law.scaled(link.delay, link.jitter)


def minimum_delay(link: DelaySettings) -> float:
    """The greatest lower bound of the delay, in seconds; 0 where packets may skip it.

    For a link that follows a trace, it is that of the best row.
    """
    if link.reordering.random > 0:
        return 0.0
    law = LAWS[link.distribution]
    if law.measured and link.round_trips is not None:
        return float(one_way_delays(link.round_trips)[0])
    if link.trace is not None:
        delays, jitters = propagation(link)
        below = np.where(jitters == 0, delays, 0.0) if law.lowest is None else delays + law.lowest * jitters
        return float(max(below.min(), 0.0))
    if link.jitter == 0:
        return link.delay
    return 0.0 if law.lowest is None else max(link.delay + link.jitter * law.lowest, 0.0)


def propagation(link: DelaySettings) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Delay and jitter of each row of the trace that a link follows, in seconds, shape [rows] each."""
    if link.trace is None:
        return np.array([link.delay]), np.array([link.jitter])
    rows = link.trace.rows
    return rows.values("delay", link.delay), rows.values("jitter", link.jitter)
