"""The state of one exchange of edge-ADMM."""

from testbed.consensus.payloads import Payload
from testbed.network import Handle
from testbed.network.link_names import Link


class Exchange:
    """One exchange as the simulation sees it (no agent knows all of this)."""

    __slots__ = (
        "answer",
        "falsified",
        "initiator",
        "link",
        "number",
        "offer",
        "open",
        "received",
        "responder",
        "timer",
    )

    def __init__(self, link: Link, initiator: int, number: int) -> None:
        self.link, self.initiator, self.number = link, initiator, number
        self.responder = link[1] if initiator == link[0] else link[0]
        self.open = True  # the initiator still waits
        self.offer: Payload | None = None  # the initiator's offer
        self.falsified = False  # one of its ends has lied
        self.received = False  # the responder has seen the request
        self.answer: tuple[str, Payload | None] | None = None  # its answer, once it has given one
        self.timer: Handle | None = None

    @property
    def responded(self) -> bool:
        """Whether the responder has committed."""
        return self.answer is not None and self.answer[0] == "response"
