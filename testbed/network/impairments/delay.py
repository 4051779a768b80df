"""Laws of the propagation delay.

`delay` d and `jitter` j mean, as in netem, a location and a spread; netem has the laws `uniform`, `normal`
and `pareto` of these. Before clipping:

- `constant`     d; the jitter must be 0.
- `uniform`      uniform on [d - j, d + j]: j is half the width (netem without a distribution),
                 j / sqrt(3) the standard deviation.
- `normal`       mean d, standard deviation j (netem's table ends at d - 4 j and d + 4 j).
- `lognormal`    exp(mu + sigma z) with mean d and standard deviation j:
                 sigma^2 = ln(1 + (j/d)^2), mu = ln d - sigma^2 / 2.
- `exponential`  d - j + an exponential of mean j: mean d, standard deviation j, never below d - j.
                 With j = d it is the ordinary exponential.
- `gamma`        shape (d/j)^2, scale j^2/d: mean d, standard deviation j.
- `pareto`       Pareto of shape 3, shifted and scaled to mean d and standard deviation j, never below
                 d - j / sqrt(3). Unlike netem: iproute2's table has the same shape, but is scaled to a
                 standard deviation of 2 j / sqrt(3) and ends at d + 4 j.
- `empirical`    one of the measured delays of `testbed.network.impairments.round_trips`, each as likely;
                 d and j unused.

Negative samples are clipped at 0, which raises the mean where j is not small against d. Standard values are
drawn first and scaled afterwards, so two conditions that differ in d and j only see the same luck; of `gamma`
only if d/j is the same as well.
"""

from collections.abc import Callable
from math import log, sqrt

import numpy as np
from numpy.typing import NDArray

from testbed.network.impairments.link_settings import LinkSettings
from testbed.network.impairments.round_trips import one_way_delays

Sampler = Callable[[np.random.Generator, int], NDArray[np.float64]]

_PARETO_SHAPE = 3.0
_PARETO_MEAN = _PARETO_SHAPE / (_PARETO_SHAPE - 1)
_PARETO_DEVIATION = sqrt(_PARETO_SHAPE / (_PARETO_SHAPE - 2)) / (_PARETO_SHAPE - 1)


def _uniform(generator: np.random.Generator, count: int) -> NDArray[np.float64]:
    return 2.0 * generator.random(count) - 1.0


def _normal(generator: np.random.Generator, count: int) -> NDArray[np.float64]:
    return generator.standard_normal(count)


def _exponential(generator: np.random.Generator, count: int) -> NDArray[np.float64]:
    return generator.standard_exponential(count) - 1.0


def _pareto(generator: np.random.Generator, count: int) -> NDArray[np.float64]:
    classical = np.exp(generator.standard_exponential(count) / _PARETO_SHAPE)
    return (classical - _PARETO_MEAN) / _PARETO_DEVIATION


_STANDARD: dict[str, Sampler] = {
    "uniform": _uniform,
    "normal": _normal,
    "exponential": _exponential,
    "pareto": _pareto,
}
"""Laws that are shifted and scaled: the delay is d + j times one of these."""

_LOWEST = {"uniform": -1.0, "exponential": -1.0, "pareto": (1.0 - _PARETO_MEAN) / _PARETO_DEVIATION}
"""The lower ends of those that have one."""


def sampler(link: LinkSettings) -> Sampler | None:
    """A function that draws delays in seconds, shape [count]; None if the delay is always the same."""
    delay, jitter = link.delay, link.jitter
    if link.distribution == "empirical" and link.round_trips is not None:
        measured = one_way_delays(link.round_trips)
        return lambda generator, count: measured[(len(measured) * generator.random(count)).astype(np.int64)]
    if jitter == 0:
        return None
    if link.distribution == "lognormal":
        variance = log(1.0 + (jitter / delay) ** 2)
        mu, sigma = log(delay) - variance / 2, sqrt(variance)
        return lambda generator, count: np.exp(mu + sigma * generator.standard_normal(count))
    if link.distribution == "gamma":
        shape, scale = (delay / jitter) ** 2, jitter**2 / delay
        return lambda generator, count: scale * generator.standard_gamma(shape, count)
    standard = _STANDARD[link.distribution]
    return lambda generator, count: np.maximum(delay + jitter * standard(generator, count), 0.0)


def minimum_delay(link: LinkSettings) -> float:
    """The greatest lower bound of the delay, in seconds."""
    if link.reordering.random > 0:
        return 0.0
    if link.distribution == "empirical" and link.round_trips is not None:
        return float(one_way_delays(link.round_trips)[0])
    if link.jitter == 0:
        return link.delay
    lowest = _LOWEST.get(link.distribution)
    return 0.0 if lowest is None else max(link.delay + link.jitter * lowest, 0.0)
