"""What must hold between the two ends of every link in edge-ADMM, checked after every event."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from testbed.consensus.agent import EdgeAgent, Link
from testbed.network import Network


class LinkAudit:
    """After a completed exchange z_i + z_j = 0 and y_i = y_j, and so it stays but for half-commits.

    The ends of a link may only differ while an exchange is answered and not completed, after a half-commit
    that is on the books (and, until they agree again, after one of them has forgotten everything).
    """

    def __init__(
        self,
        network: Network,
        agents: Sequence[EdgeAgent],
        links: Sequence[Link],
        half: Iterable[Link],
        answered: Callable[[], Iterable[Link]],
    ) -> None:
        """`half`: links on the books as half-committed, looked at as they change. `answered()`: links of
        exchanges under way whose answering end has committed."""
        self._network, self._agents, self._links = network, agents, links
        self._half, self._answered = half, answered
        self._torn: set[Link] = set()

    def forgotten(self, node: int) -> None:
        """An agent has lost what it knew."""
        self._torn.update(link for link in self._links if node in link)

    def check(self) -> None:
        """Raise AssertionError if a link's ends differ for no reason.

        Once damaged numbers have been delivered anything may differ, and nothing is checked.
        """
        if self._network.ledger.corrupted:
            return
        answered = set(self._answered())
        excused = {*self._half, *answered, *self._torn}
        for link in self._links:
            if self._ends_agree(link):
                # The answer of an agent that has forgotten it may still be on its way, and part them again.
                if link not in answered:
                    self._torn.discard(link)
            elif link not in excused:
                raise AssertionError(
                    f"at {self._network.clock.now} s: the ends of link {link[0]}-{link[1]} differ, and no "
                    "half-commit is on the books"
                )

    def _ends_agree(self, link: Link) -> bool:
        i, j = (self._agents[node] for node in link)
        scale = 1e-9 * (1.0 + float(np.abs(i.y[link]).max(initial=0.0) + np.abs(i.z[link]).max(initial=0.0)))
        same = float(np.abs(i.y[link] - j.y[link]).max(initial=0.0)) <= scale
        return same and float(np.abs(i.z[link] + j.z[link]).max(initial=0.0)) <= scale
