"""Curves of agents and links of 200 trials with 1,000 updates: seconds to summarise and report, and sizes.

Run with `make bench`. Three agents on a ring, or sixteen on a torus: 64 directions, so 12.8 million rows.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest
from made_up_series import rows_of_agents, rows_of_links

from studies import report
from studies.figures.from_store import figure_data
from studies.spec.loading import load
from studies.storage.store import Store

UPDATES = 1000
STUDY = """\
question: How large are the curves of agents and links?
workload: training
environment: {{name: navigation, agents: {agents}}}
topology: {topology}
network: {{link: {{rate: 10mbit}}}}
vary:
  network.link.loss: [0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5]
  consensus.activation: [sequential, round_robin, poisson, gossip]
seeds: 5
"""


@pytest.mark.parametrize(("agents", "topology"), [(3, "ring"), (16, "torus")])
def test_curves_of_agents_and_links_are_summarised_and_reported_in_seconds(
    agents: int, topology: str, tmp_path: Path
) -> None:
    file = tmp_path / "large.yaml"
    file.write_text(STUDY.format(agents=agents, topology=topology))
    study, store = load(str(file)), Store(tmp_path / "out")
    store.remember(study)
    links = sorted(study.trials[0].graph().edges)
    for number, trial in enumerate(study.trials):
        generator = np.random.default_rng(number)
        curves = {
            "agents": rows_of_agents(generator, UPDATES, agents),
            "links": rows_of_links(generator, UPDATES, links),
            "training": [
                {"update": k + 1.0, "steps": 1e3 * (k + 1), "return": -k / UPDATES} for k in range(UPDATES)
            ],
        }
        store.write(trial, {"return": -1.0, "messages_sent": 0.0}, curves, {"commit": "1"}, 60.0)
    size = sum(path.stat().st_size for path in store.trials.rglob("curves_*.parquet")) / 1e6
    store = Store(store.folder)  # as another process finds it
    started = time.process_time()
    figure_data(study, store, store.summarise(study), {})
    summarised = time.process_time() - started
    started = time.process_time()
    written = report.write(store.folder, replayed=False)
    reported = time.process_time() - started
    page = written.file.stat().st_size / 1e6
    print(
        f"\n{len(study.trials)} trials, {agents} agents, {2 * len(links)} directions, {UPDATES} updates:"
        f" stored in {size:.0f} MB, summarised in {summarised:.1f} s of processor, page of {page:.1f} MB in"
        f" {reported:.1f} s",
        file=sys.stderr,
    )
    assert page < 20
    if topology == "ring":
        assert summarised < 10
