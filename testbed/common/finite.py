"""Error messages for numbers that are not finite: whose they are, when they appeared, and from what."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from policies.batch import Batch


@contextmanager
def named_errors(algorithm: str, update: int) -> Iterator[None]:
    """Put algorithm and update before what a FloatingPointError inside says."""
    try:
        yield
    except FloatingPointError as error:
        raise FloatingPointError(f"{algorithm}, update {update}: {error}") from error


@contextmanager
def learning_from(batch: Batch, environment: str) -> Iterator[None]:
    """Add the largest numbers of the batch, which are usually why, to what a FloatingPointError inside says.

    Args:
        batch: what is learnt from.
        environment: its name.
    """
    try:
        yield
    except FloatingPointError as error:
        seen, paid = np.abs(batch.observations), np.abs(batch.rewards)
        at, row, agent, _ = np.unravel_index(seen.argmax(), seen.shape)
        paid_at, paid_row, paid_agent = np.unravel_index(paid.argmax(), paid.shape)
        raise FloatingPointError(
            f"{error} ({environment}: the largest observation of the batch is {seen.max():g}, of agent"
            f" {agent} in row {row} at step {at}; the largest reward {paid.max():g}, of agent {paid_agent} in"
            f" row {paid_row} at step {paid_at})"
        ) from error
