"""Episodes shared out over worker processes."""

import multiprocessing
import signal
import traceback
import weakref
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.environments.external.episodes import Episodes, Now, WorldError
from testbed.environments.external.worlds import Description

PATIENCE = 5.0  # seconds a worker has for leaving by itself


class Workers:
    """What `Episodes` does, with the rows in contiguous shares over processes; results are the same."""

    def __init__(
        self, path: str, kwargs: Mapping[str, Any], description: Description, batch: int, workers: int
    ) -> None:
        """Start the processes and wait until their worlds are built.

        Raises:
            WorldError: one of them could not be started.
        """
        context = multiprocessing.get_context("spawn")  # a fork would copy locks that other threads hold
        self.shares = [share.tolist() for share in np.array_split(np.arange(batch), min(workers, batch))]
        self.connections: list[Connection] = []
        self.processes: list[BaseProcess] = []
        self._stop = weakref.finalize(self, _stop, self.processes, self.connections)
        for share in self.shares:
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_serve, args=(theirs, path, dict(kwargs), description, share), daemon=True
            )
            self.connections.append(ours)
            self.processes.append(process)
            process.start()
            theirs.close()
        try:
            self._gather()
        except WorldError:
            self.close()
            raise

    def reset(self, rows: Sequence[int], seeds: Sequence[int]) -> Now:
        """As `Episodes.reset`."""
        seed_of = dict(zip(rows, seeds, strict=True))
        requests = []
        for share in self.shares:
            mine = [row for row in share if row in seed_of]
            requests.append(([row - share[0] for row in mine], [seed_of[row] for row in mine]))
        return _joined(self._all("reset", requests))

    def step(self, actions: NDArray[np.integer]) -> Now:
        """As `Episodes.step`."""
        return _joined(self._all("step", [(actions[share],) for share in self.shares]))

    def replay(self, seeds: Sequence[int], played: Sequence[NDArray[np.integer]]) -> tuple[Now, Any]:
        """As `Episodes.replay`."""
        requests = [([seeds[row] for row in share], [played[row] for row in share]) for share in self.shares]
        answers = self._all("replay", requests)
        return _joined([now for now, _ in answers]), np.concatenate([returns for _, returns in answers])

    def close(self) -> None:
        """Stop the processes; one that does not leave in time is killed."""
        self._stop()

    def _all(self, method: str, requests: Sequence[tuple[Any, ...]]) -> list[Any]:
        if not self._stop.alive:
            raise WorldError("pettingzoo: the workers have been stopped")
        try:
            for index, request in enumerate(requests):
                try:
                    self.connections[index].send((method, request))
                except OSError as error:
                    raise self._died(index) from error
            return self._gather()
        except WorldError:
            raise
        except BaseException:  # Ctrl-C: answers are on their way that no later question may take for its own
            self.close()
            raise

    def _gather(self) -> list[Any]:
        """One answer from every worker; all are read before any error is raised, to stay in step."""
        answers, wrong = [], []
        for index, connection in enumerate(self.connections):
            try:
                answer, message, details = connection.recv()
            except (EOFError, OSError) as error:
                raise self._died(index) from error
            answers.append(answer)
            if message is not None:
                wrong.append((index, message, details))
        if wrong:
            index, message, details = wrong[0]
            failure = WorldError(f"{message} (worker {index} of {len(self.processes)})")
            failure.add_note(details)
            raise failure
        return answers

    def _died(self, index: int) -> WorldError:
        """Close everything: without one worker no step can be whole."""
        self.processes[index].join(PATIENCE)
        code, share = self.processes[index].exitcode, self.shares[index]
        self.close()
        return WorldError(
            f"pettingzoo: worker {index} of {len(self.shares)}, with rows {share[0]} to {share[-1]}, died "
            f"(exit code {code}); the environment is closed"
        )


def _joined(parts: Sequence[Now]) -> Now:
    return Now(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _stop(processes: Sequence[BaseProcess], connections: Sequence[Connection]) -> None:
    for connection in connections:
        connection.close()  # a worker leaves when its pipe ends
    for process in processes:
        if process.pid is None:
            continue
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()
            process.join()


def _serve(
    connection: Connection, path: str, kwargs: dict[str, Any], description: Description, rows: list[int]
) -> None:
    """A worker's life: to each (method, arguments) answer (result, None, None) or (None, message, traceback).

    The first answer, unasked, says that the worlds are built.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends the pipe
    episodes: Episodes | None = None
    try:
        while True:
            try:
                if episodes is None:
                    episodes, answer = Episodes(path, kwargs, description, rows), None
                else:
                    method, arguments = connection.recv()
                    answer = getattr(episodes, method)(*arguments)
                reply: tuple[Any, str | None, str | None] = (answer, None, None)
            except EOFError:
                break
            except Exception as error:  # noqa: BLE001  # the parent raises it
                reply = (None, str(error), traceback.format_exc())
            connection.send(reply)
            if episodes is None:
                break
    except OSError:  # the parent has gone, or closed the pipe instead of waiting for an answer
        pass
    finally:
        if episodes is not None:
            episodes.close()
