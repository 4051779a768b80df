"""Warnings for the reader of a study's results."""

from __future__ import annotations

import pandas as pd

from studies.spec.manifest import StudyRecord


def idle_faults(study: StudyRecord, table: pd.DataFrame) -> list[str]:
    """A line if faults had no effect in some trials of ``table``, otherwise none."""
    if "faults_untouched" not in table:
        return []
    number, named = _trials(study, table, table["faults_untouched"] > 0)
    if not number:
        return []
    return [f"in {number} of {len(table)} trials a fault touched no message and so tested nothing: {named}"]


def lost_clients(study: StudyRecord, table: pd.DataFrame) -> list[str]:
    """A line if clients of StarCraft broke down late in some trials of ``table``, otherwise none."""
    if "return_breakdowns" not in table:
        return []
    number, named = _trials(study, table, table["return_breakdowns"] > 0)
    if not number:
        return []
    most = table["return_breakdowns"].max()
    return [
        f"in {number} of {len(table)} trials battles were cut off in the last tenth of the updates because"
        f" the game broke down, {most:.2g} for each battle at most: {named}"
    ]


def _trials(study: StudyRecord, table: pd.DataFrame, which: pd.Series) -> tuple[int, str]:
    """The number of some trials, and the titles of the first three."""
    hashes = set(table.loc[which, "trial"])
    titles = [trial.title for trial in study.trials if trial.hash in hashes]
    return len(titles), ", ".join(titles[:3]) + (", ..." if len(titles) > 3 else "")
