"""A process of `workers`, which plays its share of PettingZoo episodes.

Run as a module; it answers the messages of `starcraft_child` until they end.
"""

import traceback
from typing import Any, BinaryIO

from testbed.common.parent_death import end_with_parent
from testbed.environments.external.episodes import Episodes
from testbed.environments.external.pettingzoo_loading import describe
from testbed.environments.external.starcraft_child import own_pipes, receive, send


def _answer(episodes: Episodes, fields: dict[str, Any], arrays: dict[str, Any]) -> dict[str, Any]:
    if fields["do"] == "reset":
        return episodes.reset(fields["rows"], fields["seeds"])._asdict()
    if fields["do"] == "step":
        return episodes.step(arrays["actions"])._asdict()
    now, returns = episodes.replay(fields["seeds"], arrays["actions"], fields["steps"])
    return {**now._asdict(), "returns": returns}


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer until the requests end; the first one builds the worlds."""
    episodes: Episodes | None = None
    try:
        while True:
            try:
                fields, arrays = receive(requests)
            except EOFError:
                return
            said: dict[str, Any] = {}
            answer: dict[str, Any] = {}
            try:
                if episodes is None:
                    # A process stuck inside a world's step would not see the end of the requests.
                    end_with_parent(fields["parent"], started_by_main_thread=fields["main_thread"])
                    world = fields["path"], fields["kwargs"]
                    episodes = Episodes(*world, describe(*world), fields["rows"])
                else:
                    answer = _answer(episodes, fields, arrays)
            except Exception as error:  # noqa: BLE001  # the parent raises it
                said = {"refused": str(error), "details": traceback.format_exc()}
            send(replies, said, answer)
    except BrokenPipeError:  # the parent has gone
        return
    finally:
        if episodes is not None:
            episodes.close()


if __name__ == "__main__":
    serve(*own_pipes())
