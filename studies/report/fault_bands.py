"""The bands behind the curves of the page that show where faults were active."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from studies.analysis.fault_windows import Spans, Window, along, bands
from studies.report.conditions import Arrangement
from studies.report.curves import AXES
from studies.report.numbers import rounded
from studies.spec.manifest import StudyRecord
from studies.text import visible


def fault_bands(
    study: StudyRecord,
    curves: Mapping[str, pd.DataFrame],
    conditions: Arrangement,
    windows: Mapping[str, Sequence[Window]],
) -> dict[str, Any]:
    """Plain data for the page.

    Args:
        study: the study.
        curves: name -> rows of all trials.
        conditions: of the study.
        windows: hash of a trial -> when its faults were active.

    Returns:
        ``names`` of the faults that are shown anywhere; ``bands``: table -> axis -> ``[fault, panel,
        condition, low, high]``, where ``fault`` is an index into ``names`` and ``condition`` is None if the
        conditions of the panel share the band.
    """
    names: dict[str, int] = {}
    found: dict[str, dict[str, list[list[Any]]]] = {}
    for table, axes in AXES.items():
        source = curves.get(table)
        if source is None or source.empty or not windows:
            continue
        finished = set(source["trial"])
        for axis in (axis for axis in axes if axis in source):
            spans = along(windows, curves, table, axis)
            rows = found.setdefault(table, {}).setdefault(axis, [])
            for panel in range(len(conditions.panels)):
                members: dict[Any, list[Spans]] = {
                    number: [
                        spans.get(study.trials[i].hash, {})
                        for i in condition.trials
                        if study.trials[i].hash in finished
                    ]
                    for number, condition in enumerate(conditions.conditions)
                    if condition.panel == panel
                }
                for band in bands(members):
                    fault = names.setdefault(band.fault, len(names))
                    rows.append([fault, panel, band.condition, *rounded([band.low, band.high])])
    return {"names": [visible(name) for name in names], "bands": found}
