"""The replay of a report: the trial and the policy updates that are run again, and the words on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from studies.analysis.fault_windows import Window
from studies.formatting import counted
from studies.playback.updates import announcement, check_update, wall_seconds
from studies.report import provenance, update_choice
from studies.report.conditions import Arrangement
from studies.report.recording import EVENTS, Recording, record, record_updates
from studies.report.replay import AGENTS, differences, replay
from studies.report.rerun import outside_code, stored_trial
from studies.report.update_choice import UpdateChoice
from studies.spec.document import StudyError
from studies.spec.manifest import StoredStudy
from studies.spec.study import TrialSpec
from studies.storage.store import Store
from studies.text import isolated, visible
from testbed import workloads
from testbed.network.trace.trace import PacketEvent, Trace

EVENTS_OF_ALL = 60_000
"""Most events of all recordings of a page together, which keeps it below some ten megabytes."""

REASONS = {
    "loss": "lost",
    "corrupt": "damaged",
    "link_down": "link down",
    "agent_down": "agent down",
    "queue_full": "queue full",
}
"""Reasons of drops in words; those of rules of your own are their names."""


@dataclass(frozen=True)
class Wanted:
    """The user's wishes for the replay.

    Attributes:
        number: the trial, from 1; None: the one that lost the most messages.
        updates: policy updates to record in any case.
        trust: whether code from outside the testbed that the trial names may be run.
    """

    number: int | None
    updates: tuple[int, ...]
    trust: bool


@dataclass(frozen=True)
class Replayed:
    """A replay.

    Attributes:
        data: plain data for the page; None without a replay.
        note: what it shows, or why there is none.
        warnings: a line if the trial gave different results this time.
    """

    data: dict[str, Any] | None
    note: str
    warnings: tuple[str, ...]

    @property
    def names(self) -> list[str] | None:
        """Names of the agents from the file of the replayed trial's graph; None if they have none."""
        return self.data["recordings"][0]["labels"] if self.data else None

    @property
    def update(self) -> int | None:
        """The policy update on which the page opens; None without a replay or updates."""
        return self.data["recordings"][self.data["opened"]]["update"] if self.data else None


def run_again(
    study: StoredStudy,
    store: Store,
    summary: pd.DataFrame,
    made_by: provenance.Provenance,
    conditions: Arrangement,
    windows: Mapping[str, Sequence[Window]],
    wanted: Wanted,
    say: Callable[[str], None] | None = None,
) -> Replayed:
    """Runs one trial of a study again and records its network.

    Args:
        study, store, summary, made_by, conditions: the study and its results.
        windows: of each trial, when its faults were active.
        wanted: the user's wishes.
        say: called with a line before the trial is run, if that takes long.

    Raises:
        StudyError: what the user asked for is not there, or cannot be run again; one line.
    """
    asked = wanted.number is not None or bool(wanted.updates)
    place = _chosen(study, summary, made_by, wanted.number)
    if place is None:
        return _none("no finished trial sent a message", asked=asked)
    trial = study.trials[place]
    label = conditions.conditions[conditions.of[trial.hash]].label
    label = f"{isolated(label)}, " if label else ""
    named = f"trial {place + 1} ({label}seed {trial.seed})"
    if not wanted.trust and (code := outside_code(store, trial)) is not None:
        reason = "runs code from outside the testbed: `testbed report --trust` runs it"
        return _none(f"{named} names {code}, which {reason}", asked=bool(wanted.updates))
    try:
        again = stored_trial(store, trial)
    except StudyError as error:
        if asked:
            raise
        return _none(str(error), asked=False)
    for update in wanted.updates:
        check_update(again.settings, update, f"trial {place + 1}")
    if again.settings.agents > AGENTS:
        return _none(f"{named} has more than {AGENTS} agents", asked=bool(wanted.updates))
    choice = None
    if isinstance(again.settings, workloads.TrainingWorkload):
        choice = update_choice.choose(store, trial, windows.get(trial.hash, ()), wanted.updates)
        seconds = wall_seconds(store, trial, choice.updates[-1])
        line = announcement(f"trial {place + 1}", choice.updates[-1], seconds)
        if line is not None and say is not None:
            say(line)
    recordings = _recordings(again, store, choice)
    if not any(one.trace.events for one in recordings):
        return _none(f"nothing happens on the network of {named}", asked=bool(wanted.updates))
    stored = _stored(study, store, place)
    other = [
        difference
        for one in recordings
        if one.numbers
        for difference in differences(one, stored[(one.update or 1) - 1])
    ]
    lines = [
        f"run again for its replay, {named} gave different results: {', '.join(other[:3])}"
        + (f", and {len(other) - 3} other numbers" if len(other) > 3 else "")
    ]
    data = {"trial": place, **_data(recordings, choice)}
    words = f"T{named[1:]}, run again: {described(recordings, choice)}."
    return Replayed(data, words, tuple(lines) if other else ())


def _none(reason: str, *, asked: bool) -> Replayed:
    """No replay. Raises StudyError if the user had asked for an update, or a trial, of it."""
    if asked:
        raise StudyError(f"there is no replay: {reason}")
    return Replayed(None, f"There is no replay: {reason}.", ())


def _chosen(
    study: StoredStudy, summary: pd.DataFrame, made_by: provenance.Provenance, number: int | None
) -> int | None:
    if number is not None:
        if number > len(study.trials):
            raise StudyError(f"--trial {number}: the study has {len(study.trials)} trials")
        state = made_by.states[number - 1]
        if state.status != "finished":
            reason = f"is {state.status}; only finished trials can be replayed"
            raise StudyError(f"--trial {number}: {state.trial.title} {reason}")
        return number - 1
    sent = summary[summary["messages_sent"] > 0] if "messages_sent" in summary else summary[:0]
    if sent.empty:
        return None
    worst = str(sent["trial"].iloc[int(sent["messages_dropped"].to_numpy().argmax())])  # the first of several
    return [trial.hash for trial in study.trials].index(worst)


def _stored(study: StoredStudy, store: Store, place: int) -> list[dict[str, Any]]:
    """The results of a trial, or of each update of a training run."""
    one = StoredStudy(**{**study.__dict__, "trials": (study.trials[place],)})
    table = store.curve(one, "training") if study.workload == "training" else store.summary(one)
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _recordings(trial: TrialSpec, store: Store, choice: UpdateChoice | None) -> list[Recording]:
    if choice is None:
        return [record(trial, batches=store.batches if store.batches.is_dir() else None)]
    limit = min(EVENTS, EVENTS_OF_ALL // len(choice.updates))
    found = record_updates(trial, choice.updates, limit=limit)
    return [one for one in found if one.trace.events]


def _data(recordings: Sequence[Recording], choice: UpdateChoice | None) -> dict[str, Any]:
    """``opened``: index of the recording shown first; ``recordings``: see :func:`replay`, with texts."""
    shown = []
    for one in recordings:
        texts: dict[str, Any] = {"update": one.update, "option": "", "note": ""}
        if one.update is not None and choice is not None:
            faults = choice.faults[one.update - 1]
            drops = _drops(one.trace)
            texts["option"] = update_choice.option(one.update, faults, sum(drops.values()))
            texts["note"] = _note(one, faults, drops)
        shown.append({**replay(one), **texts})
    numbers = [one.update for one in recordings]
    return {"opened": numbers.index(_opened(recordings, choice)), "recordings": shown}


def _opened(recordings: Sequence[Recording], choice: UpdateChoice | None) -> int | None:
    """The update shown first: the chosen one, unless nothing happened on the network in it."""
    numbers = [one.update for one in recordings]
    return choice.opened if choice is not None and choice.opened in numbers else numbers[0]


def _drops(trace: Trace) -> Counter[str]:
    """Dropped packets by reason."""
    events = (event for event in trace.events if isinstance(event, PacketEvent))
    return Counter(str(event.reason) for event in events if event.event == "dropped")


def _note(recording: Recording, faults: Sequence[str], drops: Counter[str]) -> str:
    """The faults and the drops of an update, in words."""
    told = (
        f"Faults active in it: {'; '.join(map(visible, faults))}" if faults else "No fault was active in it"
    )
    reasons = ", ".join(f"{count} {REASONS.get(why, visible(why))}" for why, count in drops.most_common())
    lost = f"{counted(drops.total(), 'message')} dropped ({reasons})" if drops else "no message dropped"
    part = "" if recording.complete else f" Its first {len(recording.trace.events):,} events are shown."
    return f"{told}; {lost}.{part}"


def described(recordings: Sequence[Recording], choice: UpdateChoice | None = None) -> str:
    """The part of the trial that was run again, in words."""
    first = recordings[0]
    if choice is None:
        part = {
            workloads.ProblemWorkload: "its consensus run",
            workloads.UpdateWorkload: "the consensus run of its policy update",
        }[type(first.trial.settings)]
        return part if first.complete else f"the first {len(first.trace.events):,} events of {part}"
    numbers = [one.update for one in recordings if one.update is not None]
    words = f"{update_choice.in_words(numbers)} of {len(choice.faults)}"
    cut = {one.update: len(one.trace.events) for one in recordings if one.update and not one.complete}
    if cut:
        words += f" (of {update_choice.in_words(list(cut))} the first {max(cut.values()):,} events)"
    opened = _opened(recordings, choice)
    reason = f", {choice.reason}" if choice.reason and opened == choice.opened else ""
    words += f"; the page opens on update {opened}{reason}" if len(numbers) > 1 else reason
    return words + (f". {choice.advice}" if choice.advice else "")
