"""The baselines of a training study's environments: measured once each, and stored with the results."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from studies.spec.manifest import StudyRecord, TrialRecord
from studies.spec.study import Study
from studies.storage.provenance import versions
from studies.storage.store import Store
from studies.storage.stored_files import Damage, read_json
from testbed.common.atomic_files import write_json
from testbed.common.errors import WorldError
from testbed.training import baselines
from testbed.training.baselines import Baseline
from testbed.workloads import TrainingWorkload

FILE = "references.json"


def damage(store: Store) -> str | None:
    """The fault of ``references.json``, if any, in one line."""
    return _read(store)[1]


def kept(study: StudyRecord, store: Store) -> dict[str, Sequence[Baseline]]:
    """Stored baselines of a study's finished trials, by hash; nothing is measured."""
    entries = _read(store)[0].values()
    found: dict[str, Sequence[Baseline]] = {}
    for trial in study.trials if entries else ():
        if store.status(trial) == "finished":
            environment, meaning = store.settings(trial).get("environment"), _meaning(store, trial)
            for entry in entries:
                if entry["environment"] == environment or (meaning and entry.get("meaning") == meaning):
                    found[trial.hash] = [Baseline(**one) for one in entry["references"]]
    return found


def by_trial(
    study: Study, store: Store, complain: Callable[[str], None] = warnings.warn
) -> dict[str, Sequence[Baseline]]:
    """The baselines of every finished training trial, by its hash.

    An environment that cannot be played has none, and ``complain`` receives the reason; its trials may have
    finished nevertheless, because they played other episodes.

    Missing or damaged entries of ``references.json`` are measured and stored: identity of the environment ->
    its settings, their contribution to a trial's name, the baselines, and the versions that measured them.
    """
    kept = _read(store)[0]
    found: dict[str, Sequence[Baseline]] = {}
    broken: set[str] = set()
    changed = False
    for trial in study.trials:
        if not isinstance(trial.settings, TrainingWorkload) or store.status(trial) != "finished":
            continue
        environment = trial.settings.environment
        name = baselines.identity(environment)
        if name in broken:
            continue
        if name not in kept:
            try:
                measured = baselines.measure(environment)
            except WorldError as error:
                broken.add(name)
                complain(f"no baselines, because a random policy cannot play: {error}")
                continue
            changed = True
            kept[name] = {
                "environment": environment.model_dump(mode="json"),
                "meaning": _meaning(store, trial),
                "references": [asdict(one) for one in measured],
                "versions": versions(),
            }
        found[trial.hash] = [Baseline(**one) for one in kept[name]["references"]]
    if changed:
        write_json(store.folder / FILE, kept)
    return found


def _meaning(store: Store, trial: TrialRecord) -> Any:
    """The environment's contribution to a trial's name, which settings added later do not change."""
    identity = store.identity(trial)
    return None if identity is None else [identity["settings"].get("environment", "as by default")]


def _read(store: Store) -> tuple[dict[str, Any], str | None]:
    """The contents of ``references.json``, and its fault, if any."""
    file = store.folder / FILE
    if not file.exists():
        return {}, None
    try:
        found = read_json(file)
        for entry in found.values():
            entry["environment"], [Baseline(**one) for one in entry["references"]]
    except Damage as error:
        return {}, f"{store.folder / str(error)}"
    except (KeyError, TypeError, AttributeError):
        return {}, f"{file}: is not what was written"
    return found, None
