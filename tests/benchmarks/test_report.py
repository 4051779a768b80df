"""The report of a study of 200 trials with 1,000 points a curve: seconds to write it, and its size.

Run with `make bench`. Training with all the columns of MATRPO's, exchanges that take another time with every
seed, so that no axis is shared, and no trial that could be replayed.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from studies import report
from studies.spec.loading import load
from studies.storage.store import Store

POINTS = 1000
STUDY = """\
question: How large is a report?
workload: training
environment: {name: navigation, agents: 3}
vary:
  network.link.loss: [0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5]
  consensus.activation: [sequential, round_robin, poisson, gossip]
seeds: 5
"""
OTHERS = 40
"""Columns besides those that are drawn."""


def _curves(generator: np.random.Generator) -> dict[str, list[dict[str, float]]]:
    seconds = np.cumsum(generator.exponential(size=POINTS))
    noise = generator.normal(size=(POINTS, OTHERS + 8)).cumsum(axis=0)
    training, consensus = [], []
    for k in range(POINTS):
        shared = {
            "seconds": seconds[k],
            "bytes": 1000 * seconds[k],
            "relative_disagreement": np.exp(-k / 300),
        }
        row = {"update": k + 1.0, "steps": 1000.0 * (k + 1), **shared, "return": noise[k, 0]}
        row |= {"evaluation_return": noise[k, 1], "kl_played": abs(noise[k, 2]), "kl": abs(noise[k, 3])}
        row |= {"surrogate_gain": noise[k, 4], "explained_variance": noise[k, 5], "exchanges": noise[k, 6]}
        row |= {"half_committed": noise[k, 7]} | {f"other_{n}": noise[k, 8 + n] for n in range(OTHERS)}
        training.append({name: float(value) for name, value in row.items()})
        consensus.append({"update": 1.0, "activations": float(k), "exchanges": float(k), **shared})
    return {"training": training, "consensus": consensus}


def test_a_large_study_is_summarised_and_reported_in_seconds(tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    file.write_text(STUDY)
    study, store = load(str(file)), Store(tmp_path / "out")
    store.remember(study)
    for number, trial in enumerate(study.trials):
        curves: Any = _curves(np.random.default_rng(number))
        store.write(trial, curves["training"][-1] | {"messages_sent": 0.0}, curves, {"commit": "1"}, 60.0)
    times = {}
    started = time.process_time(), time.perf_counter()
    store.summarise(study)
    times["summarise"] = time.process_time() - started[0], time.perf_counter() - started[1]
    started = time.process_time(), time.perf_counter()
    written = report.write(store.folder)
    times["report"] = time.process_time() - started[0], time.perf_counter() - started[1]
    size = written.file.stat().st_size / 1e6
    told = ", ".join(
        f"{name} {cpu:.1f} s of processor, {wall:.1f} s in all" for name, (cpu, wall) in times.items()
    )
    print(f"\n{len(study.trials)} trials of {POINTS} points: {told}; {size:.1f} MB", file=sys.stderr)
    assert size < 20
