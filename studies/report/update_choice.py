"""The choice of the policy updates whose network the page replays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from studies.analysis.fault_windows import Window, active
from studies.formatting import counted, duration
from studies.playback.updates import wall_seconds
from studies.spec.document import StudyError
from studies.spec.manifest import TrialRecord
from studies.storage.store import Store

MOST = 8
"""Most updates recorded on one page."""

PATIENCE = 600.0
"""Wall seconds up to which the update with the most faults is run again without being asked for."""

CHEAP = 10.0
"""Wall seconds up to which further updates are."""


@dataclass(frozen=True)
class UpdateChoice:
    """The updates to record.

    Attributes:
        updates: their numbers, ascending.
        opened: the one that the page shows first.
        faults: names of the faults that were active, by update from 1 (index 0).
        reason: why the page opens there, to follow "it opens on update 5"; may be empty.
        advice: a sentence on an update that is left out because it takes long; may be empty.
    """

    updates: tuple[int, ...]
    opened: int
    faults: Sequence[Sequence[str]]
    reason: str = ""
    advice: str = ""


def choose(
    store: Store, trial: TrialRecord, windows: Sequence[Window], given: Sequence[int] = ()
) -> UpdateChoice:
    """Chooses the updates of a finished training trial: those given, and the best, the first and the last.

    The best is the one in which most faults were active, of several the one with the most dropped messages,
    else the first. It is left out if running up to it takes over ``PATIENCE``, the last if over ``CHEAP``.

    Args:
        store: the results.
        trial: the trial.
        windows: when its faults were active.
        given: updates that the user asked for; the page opens on the first of them.

    Raises:
        StudyError: there are more than ``MOST`` of them.
    """
    asked = list(dict.fromkeys(given))
    if len(asked) > MOST:
        raise StudyError(f"--update: {len(asked)} updates; a page replays at most {MOST}")
    table = store.table(trial, "training")
    if table is None:
        raise StudyError(f"trial {trial.hash}: has no table of its policy updates")
    faults = active(windows, table["seconds"].to_list())
    # Results of earlier versions have no counts of dropped messages.
    dropped = table["dropped"].to_list() if "dropped" in table else [0.0] * len(table)
    best = max(range(1, len(table) + 1), key=lambda u: (len(faults[u - 1]), dropped[u - 1], -u))
    reason = advice = ""
    if asked:
        opened = asked[0]
    elif (seconds := wall_seconds(store, trial, best)) <= PATIENCE or best == 1:
        opened = best
        if faults[best - 1]:
            reason = f"in which most faults were active ({len(faults[best - 1])})"
        elif dropped[best - 1]:
            reason = "in which most messages were dropped"
    else:
        opened = 1
        most = "most faults were active" if faults[best - 1] else "most messages were dropped"
        takes = "" if math.isnan(seconds) else f", which takes about {duration(seconds)}"
        advice = f"In update {best} {most}: --update {best} replays it{takes}"
    updates = {*asked, opened}
    for update in (1, best, len(table)):
        near = update <= max(updates) or wall_seconds(store, trial, update) <= CHEAP
        if near and len(updates) < MOST:
            updates.add(update)
    return UpdateChoice(tuple(sorted(updates)), opened, faults, reason, advice)


def in_words(updates: Sequence[int]) -> str:
    """``policy update 4``, ``policy updates 1, 4 and 8``."""
    *others, last = map(str, updates)
    if not others:
        return f"policy update {last}"
    return f"policy updates {', '.join(others)} and {last}"


def option(update: int, faults: Sequence[str], dropped: int) -> str:
    """An update in the menu of the page, such as ``update 4: 1 fault active, 12 messages dropped``."""
    parts = [f"{counted(len(faults), 'fault')} active"] if faults else []
    parts += [f"{counted(dropped, 'message')} dropped"] if dropped else []
    return f"update {update}" + (f": {', '.join(parts)}" if parts else "")
