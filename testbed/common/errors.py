"""Errors that are no fault of the testbed's own code."""


class WorldError(RuntimeError):
    """An environment that raised, broke its contract, or lost its process; the message is one line.

    It names the environment and, as far as they are known, the row of the batch, the step of the episode and
    the agent.
    """


def first_line(error: BaseException) -> str:
    """Type and first line of what an error says, without control characters."""
    try:
        lines = str(error).splitlines()
    except Exception:  # noqa: BLE001  # other people's errors can fail at that, too
        lines = ["its message cannot be read"]
    first = next((line for line in lines if line.strip()), "")
    text = "".join(letter if letter.isprintable() else " " for letter in first).strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class PluginError(RuntimeError):
    """Something that another package adds to the testbed cannot be used; the message is one line."""
