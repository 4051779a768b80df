"""Access to the whole state of a batch of episodes, and of its random generator."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.common.suggestions import did_you_mean
from testbed.environments.checks import as_array


class SavedState(ABC):
    """The part of a batched environment that saves and restores episodes; subclasses set its attributes."""

    batch: int
    episode_length: int
    _t: NDArray[np.int64]
    _finished: NDArray[np.bool_]
    _started: bool
    _generator: np.random.Generator
    _state_shapes: Mapping[str, tuple[int, ...]]
    _state_copies: Mapping[str, str]
    _state_limits: Mapping[str, tuple[int, int]]

    # Supplied by subclasses

    @abstractmethod
    def _read(self) -> dict[str, NDArray[Any]]:
        """Copies of the state arrays named in `state_shapes`, with a leading batch axis."""

    @abstractmethod
    def _write(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Adopt checked state arrays, float64 or, where they have limits, int64; stored arrays are copies.

        `self._t` is already that of the new state. Raises ValueError, without changing anything, for
        arrays that no episode can have.
        """

    def _over(self) -> NDArray[np.bool_]:
        """`[batch]`: episodes that ended before `episode_length`, when a state has just been set."""
        return np.zeros(self.batch, dtype=np.bool_)

    # For callers

    @property
    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that determines the future except the generator, as copies; `t` `[batch]` counts steps.

        Setting it takes the same dictionary; without `t` the episodes are at their start.

        Raises:
            ValueError: when setting, for a missing or unknown name, a wrong shape, a value that is not a
                finite number or out of its limits, or `t` outside 0 .. episode_length.
        """
        return {**self._read(), "t": self._t.copy()}

    @state.setter
    def state(self, value: Mapping[str, ArrayLike]) -> None:
        names = [*self._state_shapes, "t"]
        for name in value:
            if name not in names:
                raise ValueError(
                    f"state: unknown name {name!r}, must be one of {', '.join(names)}"
                    f"{did_you_mean(name, names)}"
                )
        copies = {name: value[of] for name, of in self._state_copies.items() if of in value}
        value = {**copies, **value}
        missing = [name for name in self._state_shapes if name not in value]
        if missing:
            raise ValueError(
                f"state: {', '.join(missing)} missing, must have {', '.join(self._state_shapes)}"
            )
        arrays = {name: self._checked_state(name, value[name]) for name in self._state_shapes}
        steps = self._checked_steps(value["t"]) if "t" in value else np.zeros(self.batch, dtype=np.int64)
        before = self._t, self._started
        self._t, self._started = steps, False  # no episode continues if setting its state fails
        try:
            self._write(arrays)
        except ValueError:  # refused before anything has changed
            self._t, self._started = before
            raise
        self._finished = self._over() | (self._t >= self.episode_length)
        self._started = True

    @property
    def rng_state(self) -> dict[str, Any]:
        """State of the generator, in strings and integers that JSON can hold; set it to resume exactly.

        Raises:
            ValueError: when setting something that is not such a state.
        """
        return dict(self._generator.bit_generator.state)

    @rng_state.setter
    def rng_state(self, value: Mapping[str, Any]) -> None:
        bits = np.random.PCG64()
        try:
            adopted: Any = dict(value)
            bits.state = adopted
        except (TypeError, ValueError, KeyError, OverflowError) as error:
            raise ValueError(f"rng_state: not a state of NumPy's PCG64 generator ({error!r})") from error
        self._generator = np.random.Generator(bits)

    # Checks

    def _checked_state(self, name: str, value: ArrayLike) -> NDArray[Any]:
        shape = (self.batch, *self._state_shapes[name])
        array = as_array(f"state[{name!r}]", value)
        if array.shape != shape:
            raise ValueError(f"state[{name!r}]: got shape {array.shape}, must be {shape}")
        if name in self._state_limits:
            return self._checked_integers(name, array, *self._state_limits[name])
        if array.dtype.kind not in "iuf":
            raise ValueError(f"state[{name!r}]: got {array.dtype}, must be real numbers")
        if not np.isfinite(array).all():
            raise ValueError(f"state[{name!r}]: got {array[~np.isfinite(array)][0]}, must be finite")
        return array.astype(np.float64)

    @staticmethod
    def _checked_integers(name: str, array: NDArray[Any], low: int, high: int) -> NDArray[np.int64]:
        if array.dtype.kind not in "iub":
            raise ValueError(f"state[{name!r}]: got {array.dtype}, must be integers")
        wrong = array[(array < low) | (array > high)]
        if wrong.size:
            raise ValueError(f"state[{name!r}]: got {wrong[0]}, must be from {low} to {high}")
        return array.astype(np.int64)

    def _checked_steps(self, value: ArrayLike) -> NDArray[np.int64]:
        array = as_array("state['t']", value)
        if array.shape != (self.batch,) or array.dtype.kind not in "iu":
            raise ValueError(
                f"state['t']: got {array.dtype} of shape {array.shape}, "
                f"must be integers of shape ({self.batch},)"
            )
        if array.min() < 0 or array.max() > self.episode_length:
            wrong = array[(array < 0) | (array > self.episode_length)][0]
            raise ValueError(f"state['t']: got {wrong}, must be from 0 to {self.episode_length}")
        return array.astype(np.int64)
