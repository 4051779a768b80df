"""The address of a Ray cluster, as a user gives it; needs no Ray."""

from __future__ import annotations

from studies.spec.document import StudyError


def parse_address(address: str, said: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT`` or ``ray://HOST:PORT``. Raises StudyError if it is neither.

    Args:
        address: the text to parse.
        said: the option or variable as the user wrote it, for the message.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    # Python does not read all non-ASCII digits as numbers, and longer numbers are not ports.
    if not host or "/" in host or not (port.isascii() and port.isdigit() and len(port) <= 5):
        raise StudyError(
            f"{said}: choose local, ray, HOST:PORT (a Ray cluster's head)"
            " or ray://HOST:PORT (its Ray Client server)"
        )
    return host.strip("[]"), int(port)
