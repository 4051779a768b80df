"""The references of a training study's environments: measured once each, and kept beside the results."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from studies.outline import StudyOutline
from studies.spec import Study
from studies.store import Store
from studies.versions import versions
from testbed import references
from testbed.errors import WorldError
from testbed.files import beside
from testbed.references import Reference
from testbed.workloads import TrainingWorkload

FILE = "references.json"


def kept(study: StudyOutline, store: Store) -> dict[str, Sequence[Reference]]:
    """Those that ``references.json`` has for the finished trials of a study, by hash; none are measured."""
    file = store.folder / FILE
    entries = json.loads(file.read_text(encoding="utf-8")).values() if file.is_file() else ()
    found: dict[str, Sequence[Reference]] = {}
    for trial in study.trials:
        if store.status(trial) == "finished":
            environment = store.settings(trial).get("environment")
            for entry in entries:
                if entry["environment"] == environment:
                    found[trial.hash] = [Reference(**reference) for reference in entry["references"]]
    return found


def by_trial(
    study: Study, store: Store, complain: Callable[[str], None] = warnings.warn
) -> dict[str, Sequence[Reference]]:
    """The references for every finished training trial, by its hash.

    An environment that cannot be played has none, and ``complain`` is told why: its trials may have finished
    all the same, for they played other episodes.

    What is missing in ``references.json`` is measured and put there: identity of the environment -> its
    settings, the references, and the versions that measured them.
    """
    file = store.folder / FILE
    kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    before = len(kept)
    found: dict[str, Sequence[Reference]] = {}
    broken: set[str] = set()
    for trial in study.trials:
        if not isinstance(trial.settings, TrainingWorkload) or store.status(trial) != "finished":
            continue
        environment = trial.settings.environment
        name = references.identity(environment)
        if name in broken:
            continue
        if name not in kept:
            try:
                measured = references.measure(environment)
            except WorldError as error:
                broken.add(name)
                complain(f"no reference lines, for a random policy cannot play: {error}")
                continue
            kept[name] = {
                "environment": environment.model_dump(mode="json"),
                "references": [asdict(reference) for reference in measured],
                "versions": versions(),
            }
        found[trial.hash] = [Reference(**reference) for reference in kept[name]["references"]]
    if len(kept) > before:
        with beside(file) as part:
            part.write_text(json.dumps(kept, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return found
