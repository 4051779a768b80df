"""Warnings for the reader of a study's results."""

from __future__ import annotations

import pandas as pd

from studies.spec.manifest import StudyRecord


def idle_faults(study: StudyRecord, table: pd.DataFrame) -> list[str]:
    """A line if faults had no effect in some trials of ``table``, otherwise none."""
    if "faults_untouched" not in table:
        return []
    idle = set(table.loc[table["faults_untouched"] > 0, "trial"])
    if not idle:
        return []
    titles = [trial.title for trial in study.trials if trial.hash in idle]
    named = ", ".join(titles[:3]) + (", ..." if len(titles) > 3 else "")
    return [
        f"in {len(titles)} of {len(table)} trials a fault touched no message and so tested nothing: {named}"
    ]
