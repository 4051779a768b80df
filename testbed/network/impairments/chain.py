"""The rules of one direction of a link, in the order in which they act."""

from testbed.network.impairments.delay import sampler
from testbed.network.impairments.duplicate import Damage, Duplication, Overtaking
from testbed.network.impairments.link_settings import LinkSettings
from testbed.network.impairments.loss import Bursts, BurstsForCopies, Drop
from testbed.network.impairments.rule import CORRUPT, LOSS, Delay, InOrder, Jitter, Rule, Transmission
from testbed.network.impairments.settings import BurstLoss, Chance, RandomLoss
from testbed.network.streams import GeneratorFor, values


def chain(link: LinkSettings, stream: GeneratorFor) -> dict[str, Rule]:
    """The rules by name; only those that do something.

    `stream(purpose)` makes the random generator of that purpose for this direction. What faults put on a
    direction (`Down`, say) comes before them all.
    """
    rules = _on_the_wire(link, stream)
    if link.duplication.random == 0:
        return rules
    copies = _on_the_wire(link, lambda purpose: stream(f"copy {purpose}"))
    shared: dict[str, Rule] = {name: rules[name] for name in rules if name in ("rate", "fifo")}
    copies |= shared
    bursts = rules.get("loss")
    if isinstance(bursts, Bursts):
        copies["loss"] = BurstsForCopies(bursts, lambda purpose: stream(f"copy {purpose}"))
    return {"duplicate": Duplication(link.duplication, copies, shared, stream), **rules}


def _on_the_wire(link: LinkSettings, stream: GeneratorFor) -> dict[str, Rule]:
    rules: dict[str, Rule] = {}
    if link.rate is not None:
        rules["rate"] = Transmission(link.rate, link.limit)
    if isinstance(link.loss, BurstLoss):
        rules["loss"] = Bursts(link.loss.gemodel, stream)
    else:
        loss: Chance = link.loss if isinstance(link.loss, RandomLoss) else RandomLoss(random=link.loss)
        if loss.random > 0:
            rules["loss"] = Drop(loss, LOSS, stream)
    if link.corruption.random > 0:
        detected = link.corruption.detected
        rules["corrupt"] = (
            Drop(link.corruption, CORRUPT, stream) if detected else Damage(link.corruption, stream)
        )
    law = sampler(link)
    if law is not None:
        rules["delay"] = Jitter(values(law, link.jitter_correlation, "delay", stream))
    elif link.delay > 0:
        rules["delay"] = Delay(link.delay)
    if link.reordering.random > 0:
        rules["delay"] = Overtaking(link.reordering, rules["delay"], stream)
    if link.fifo:
        rules["fifo"] = InOrder()
    return rules
