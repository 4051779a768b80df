"""Episodes divided among worker processes; see `worker` for their side."""

import os
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.common.errors import WorldError
from testbed.environments.action_spaces import Played
from testbed.environments.external.child_processes import Children, Message
from testbed.environments.external.episodes import Now

WORKER = "testbed.environments.external.worker"


class Workers:
    """The interface of `Episodes`, with the rows divided among processes; results are the same."""

    def __init__(self, path: str, kwargs: Mapping[str, Any], batch: int, workers: int) -> None:
        """Start the processes and wait until their worlds are built.

        Raises:
            WorldError: one of them could not be started.
        """
        self.shares = [share.tolist() for share in np.array_split(np.arange(batch), min(workers, batch))]
        names = [
            f"pettingzoo: {path}, worker {index} of {len(self.shares)}, with rows {share[0]} to {share[-1]},"
            for index, share in enumerate(self.shares)
        ]
        # They can import the same modules as this process, from the same places.
        places = os.pathsep.join(place or os.getcwd() for place in sys.path)  # noqa: PTH109
        self.children = Children(
            [sys.executable, "-P", "-m", WORKER], names, WorldError, {"PYTHONPATH": places}
        )
        try:
            self._all(
                [
                    (
                        {
                            "do": "open",
                            "path": path,
                            "kwargs": dict(kwargs),
                            "rows": share,
                            "parent": os.getpid(),
                            "main_thread": threading.current_thread() is threading.main_thread(),
                        },
                        {},
                    )
                    for share in self.shares
                ]
            )
        except BaseException:
            self.close()
            raise

    def reset(self, rows: Sequence[int], seeds: Sequence[int]) -> Now:
        """Reset as `Episodes.reset` does."""
        seed_of = dict(zip(rows, seeds, strict=True))
        requests: list[Message] = []
        for share in self.shares:
            mine = [row for row in share if row in seed_of]
            fields = {"do": "reset", "rows": [row - share[0] for row in mine]}
            requests.append(({**fields, "seeds": [seed_of[row] for row in mine]}, {}))
        return _joined(self._all(requests))

    def step(self, actions: Played) -> Now:
        """Step as `Episodes.step` does."""
        return _joined(self._all([({"do": "step"}, {"actions": actions[share]}) for share in self.shares]))

    def replay(
        self, seeds: Sequence[int], actions: Played, steps: Sequence[int]
    ) -> tuple[Now, NDArray[np.float64]]:
        """Replay as `Episodes.replay` does."""
        answers = self._all(
            [
                (
                    {
                        "do": "replay",
                        "seeds": [seeds[row] for row in share],
                        "steps": [steps[row] for row in share],
                    },
                    {"actions": actions[share]},
                )
                for share in self.shares
            ]
        )
        return _joined(answers), np.concatenate([arrays["returns"] for _, arrays in answers])

    def close(self) -> None:
        """Stop the processes; one that does not exit in time is killed."""
        self.children.close()

    def _all(self, requests: Sequence[Message]) -> list[Message]:
        """The answers of all workers; an error of any one is raised when all have been read."""
        answers = self.children.ask(dict(enumerate(requests)))
        for index, (fields, _) in enumerate(answers):
            if "refused" in fields:
                raise WorldError(
                    f"{fields['refused']} (worker {index} of {len(self.shares)})"
                ) from _InWorkerError(fields["details"])
        return answers


class _InWorkerError(Exception):
    """Shows the traceback of a worker above that of this process."""


def _joined(answers: Sequence[Message]) -> Now:
    return Now(*(np.concatenate([arrays[name] for _, arrays in answers]) for name in Now._fields))
