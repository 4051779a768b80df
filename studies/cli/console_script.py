"""What the command ``testbed`` calls: it can be stopped cleanly from its first moment, imports included.

What comes before is Python's own start, which ends on Ctrl-C as Python has it.
"""

import sys

try:
    from studies.cli.stopping import INTERRUPTED, STOPPED, interrupted_once
except KeyboardInterrupt:
    print("stopped before anything was begun", file=sys.stderr)
    sys.exit(130)


def main() -> None:
    """The console script; see :func:`studies.cli.main.main`."""
    try:
        with interrupted_once(then_exits=True):
            from studies.cli import main as cli
    except KeyboardInterrupt:
        print(STOPPED, file=sys.stderr)
        sys.exit(INTERRUPTED)
    cli.main()
