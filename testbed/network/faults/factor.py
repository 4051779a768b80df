"""Factors by which faults multiply."""


def changes_something(factor: float) -> float:
    """The factor, if it has an effect. Raises ValueError for 1."""
    if factor == 1:
        raise ValueError("factor 1 changes nothing")
    return factor
