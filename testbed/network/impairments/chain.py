"""The rules of one direction of a link, in the order in which they act."""

from testbed.network.impairments.delay import sampler
from testbed.network.impairments.duplicate import DuplicateRule
from testbed.network.impairments.following import Following
from testbed.network.impairments.link_settings import LinkSettings
from testbed.network.impairments.rule import Delay, InOrder, Jitter, Rule, Transmission
from testbed.network.streams import GeneratorFor, values


def chain(link: LinkSettings, stream: GeneratorFor, offset: float = 0.0) -> dict[str, Rule]:
    """The rules by name; only those that do something.

    `stream(purpose)` makes the random generator of that purpose for this direction; `offset` are the seconds
    of the link's trace that have passed at time 0. Rules that faults add to a direction (such as `Down`) come
    before them all.
    """
    rules = _on_the_wire(link, stream, offset)
    if link.duplication.random == 0:
        return rules
    copies = _on_the_wire(link, lambda purpose: stream(f"copy {purpose}"), offset, originals=rules)
    shared: dict[str, Rule] = {name: rules[name] for name in rules if name in ("rate", "slot", "fifo")}
    copies |= shared
    return {"duplicate": DuplicateRule(link.duplication, copies, shared, stream), **rules}


def _on_the_wire(
    link: LinkSettings, stream: GeneratorFor, offset: float, originals: dict[str, Rule] | None = None
) -> dict[str, Rule]:
    """The rules for packets; given those for `originals`, the rules for the copies of these."""
    rules: dict[str, Rule] = {}
    following = None if link.trace is None else Following(link, link.trace, offset, stream)
    if following is not None and (transmission := following.transmission()) is not None:
        rules["rate"] = transmission
    elif link.rate is not None:
        rules["rate"] = Transmission(link.rate, link.limit)
    if link.slot is not None:
        rules["slot"] = link.slot.rule(stream)
    loss: Rule | None
    if following is not None and "loss" in link.traced:
        loss = following.loss()
    elif originals is None:
        loss = link.loss_model.rule(stream)
    else:
        loss = link.loss_model.copies_rule(originals["loss"], stream) if "loss" in originals else None
    if loss is not None:
        rules["loss"] = loss
    corrupt = link.corruption.rule(stream)
    if corrupt is not None:
        rules["corrupt"] = corrupt
    law = sampler(link)
    if following is not None and (propagation := following.propagation()) is not None:
        rules["delay"] = propagation
    elif following is not None and following.delays_with_loss:
        pass  # the rule of the loss delays as well
    elif law is not None:
        rules["delay"] = Jitter(values(law, link.jitter_correlation, "delay", stream))
    elif link.delay > 0:
        rules["delay"] = Delay(link.delay)
    if link.reordering.random > 0:
        rules["delay"] = link.reordering.rule(rules["delay"], stream)
    if link.fifo:
        rules["fifo"] = InOrder()
    return rules
