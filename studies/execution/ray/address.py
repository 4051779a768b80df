"""The address of a Ray cluster, as a user gives it; needs no Ray."""

from __future__ import annotations

from studies.spec.document import StudyError


def parse_address(address: str, said: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT`` or ``ray://HOST:PORT``. Raises StudyError if it is neither.

    Args:
        address: what should be one.
        said: how the user has said it.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    # Other digits than ASCII's are not all numbers to Python, and longer ones are no ports.
    if not host or "/" in host or not (port.isascii() and port.isdigit() and len(port) <= 5):
        raise StudyError(
            f"{said}: choose local, ray, HOST:PORT (a Ray cluster's head)"
            " or ray://HOST:PORT (its Ray Client server)"
        )
    return host.strip("[]"), int(port)
