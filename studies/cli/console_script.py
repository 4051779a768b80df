"""Entry point of the command ``testbed``, which can be stopped cleanly even while it imports.

Before that only Python itself starts, which handles Ctrl-C in its own way.
"""

import os
import sys
import time

BEGUN = time.monotonic()

try:
    from studies.cli.stopping import INTERRUPTED, interrupted_once, stopped
except KeyboardInterrupt:
    print("stopped before anything was started", file=sys.stderr)
    sys.exit(130)


def main() -> None:
    """The console script; see :func:`studies.cli.main.main`."""
    try:
        with interrupted_once(then_exits=True):
            from studies.cli import completion
            from studies.cli import main as cli
    except KeyboardInterrupt:
        print(stopped(sys.argv[1:]), file=sys.stderr)
        sys.exit(INTERRUPTED)
    completion.rejoin(os.environ)
    cli.main(begun=BEGUN)
