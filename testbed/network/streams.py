"""Named random streams, each derived only from one seed and its own name."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

GeneratorFor = Callable[[str], np.random.Generator]
"""Makes the generator of a purpose, such as "loss", at the beginning of its stream."""

_SMALLEST_BLOCK = 16
_LARGEST_BLOCK = 1024


class Streams:
    """Random generators by name.

    A stream depends on the seed and on its own name, never on which other streams exist or in what order they
    were asked for: adding a link or a fault leaves every other draw unchanged.
    """

    def __init__(self, seed: int) -> None:
        """Raises ValueError if `seed` is negative."""
        if seed < 0:
            raise ValueError(f"seed {seed!r} must not be negative")
        self.seed = seed
        self._generators: dict[str, np.random.Generator] = {}

    def generator(self, *name: str | int) -> np.random.Generator:
        """The generator of this name: the same object at each call, so that no number is drawn twice."""
        key = _key(name)
        found = self._generators.get(key)
        if found is None:
            found = self._generators[key] = self.fresh(*name)
        return found

    def fresh(self, *name: str | int) -> np.random.Generator:
        """A new generator at the beginning of the stream of this name, whose state the caller keeps."""
        digest = hashlib.blake2b(_key(name).encode(), digest_size=16).digest()
        words = tuple(int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4))
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=words)))

    def state_dict(self) -> dict[str, Any]:
        """The exact state of every generator given out by `generator`, JSON-able."""
        return {key: generator.bit_generator.state for key, generator in self._generators.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore every generator to the state in `state_dict`; those not in it start from the beginning."""
        for key in [*self._generators, *state]:
            generator = self.generator(*json.loads(key))
            generator.bit_generator.state = state.get(key) or self.fresh(*json.loads(key)).bit_generator.state


def _key(name: tuple[str | int, ...]) -> str:
    if not name:
        raise ValueError("a random stream needs a name")
    return json.dumps(name, separators=(",", ":"))


def uniform(generator: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Numbers between 0 and 1, shape [count]."""
    return generator.random(count)


class Draws:
    """The values of one random law, one at a time, drawn in growing blocks because NumPy is fast only on
    arrays.

    The state is exact: where the current block started in the stream, and how much of it is left.
    The generator is made at the first draw, so a large network pays only for the links it uses.
    """

    __slots__ = ("_block", "_generator", "_make", "_sample", "_start", "_values")

    def __init__(
        self,
        make: Callable[[], np.random.Generator],
        sample: Callable[[np.random.Generator, int], NDArray[np.generic]],
    ) -> None:
        """`sample(generator, count)` must consume the stream as `count` single draws would."""
        self._make = make
        self._sample = sample
        self._generator: np.random.Generator | None = None
        self._block = 0
        self._start: Any = None
        self._values: list[Any] = []

    def next(self) -> Any:
        """The next value of the stream, as a Python scalar."""
        if not self._values:
            self._refill(min(max(2 * self._block, _SMALLEST_BLOCK), _LARGEST_BLOCK))
        return self._values.pop()

    def _refill(self, block: int) -> None:
        if self._generator is None:
            self._generator = self._make()
        self._start = self._generator.bit_generator.state
        self._block = block
        self._values = self._sample(self._generator, block)[::-1].tolist()

    def state_dict(self) -> dict[str, Any] | None:
        """The exact position in the stream, JSON-able; None before the first draw."""
        if self._generator is None:
            return None
        return {"start": self._start, "block": self._block, "left": len(self._values)}

    def load_state_dict(self, state: dict[str, Any] | None) -> None:
        """Return to a position that `state_dict` gave."""
        self._generator, self._block, self._values = None, 0, []
        if state is not None:
            self._generator = self._make()
            self._generator.bit_generator.state = state["start"]
            self._refill(state["block"])
            del self._values[state["left"] :]


class CorrelatedDraws:
    """Values that repeat: each is the one before it with probability `correlation`, otherwise a new draw.

    The distribution of a single value is that of the draws, and the correlation of two values k apart is
    `correlation`^k, whatever the distribution (the process DAR(1) of Jacobs and Lewis, 1978). A draw is
    consumed for every value, repeated or not, so that conditions that differ in the correlation see the same
    random numbers.
    """

    __slots__ = ("_draws", "_last", "_repeats")

    def __init__(self, draws: Draws, correlation: float, make: Callable[[], np.random.Generator]) -> None:
        """`make` gives the generator that decides which values repeat."""

        def sample(generator: np.random.Generator, count: int) -> NDArray[np.generic]:
            return generator.random(count) < correlation

        self._draws = draws
        self._repeats = Draws(make, sample)
        self._last: Any = None

    def next(self) -> Any:
        """The next value, as a Python scalar."""
        value = self._draws.next()
        if not self._repeats.next() or self._last is None:
            self._last = value
        return self._last

    def state_dict(self) -> dict[str, Any] | None:
        """The state that determines the next values, JSON-able and exact; None before the first value."""
        if self._last is None:
            return None
        return {
            "draws": self._draws.state_dict(),
            "repeats": self._repeats.state_dict(),
            "last": self._last,
        }

    def load_state_dict(self, state: dict[str, Any] | None) -> None:
        """Restore the state that `state_dict` gave."""
        state = state or {"draws": None, "repeats": None, "last": None}
        self._draws.load_state_dict(state["draws"])
        self._repeats.load_state_dict(state["repeats"])
        self._last = state["last"]


def values(
    sample: Callable[[np.random.Generator, int], NDArray[np.generic]],
    correlation: float,
    purpose: str,
    stream: GeneratorFor,
) -> Draws | CorrelatedDraws:
    """Values of the distribution `sample`, drawn from the stream of this purpose, with a correlation."""
    draws = Draws(lambda: stream(purpose), sample)
    if correlation == 0:
        return draws
    return CorrelatedDraws(draws, correlation, lambda: stream(f"{purpose} correlation"))


def bernoulli_draws(
    probability: float,
    correlation: float,
    purpose: str,
    stream: GeneratorFor,
) -> Draws | CorrelatedDraws:
    """True with this probability, from one uniform number each: raising the probability keeps every True."""
    return values(
        lambda generator, count: generator.random(count) < probability, correlation, purpose, stream
    )
