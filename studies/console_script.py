"""What the command ``testbed`` calls: it can be stopped cleanly from its first moment, imports included."""

from __future__ import annotations

import sys

from studies.stopping import INTERRUPTED, STOPPED, interrupted_once


def main() -> None:
    """The console script; see :func:`studies.cli.main`."""
    try:
        with interrupted_once(then_exits=True):
            from studies import cli
    except KeyboardInterrupt:
        print(STOPPED, file=sys.stderr)
        sys.exit(INTERRUPTED)
    cli.main()
