"""What one MATRPO update costs at the paper's settings, beside what other codes do.

    python tests/benchmarks/policy_update.py --out studies/results/policy-update

Every row of the table is measured in a process of its own, on one thread: wall seconds of the phases, then,
in another process, the error of its solves over the first activations (that costs time of its own). Autograd
takes a second a solve with twelve agents, so slow ways are timed over fewer activations than the paper's: a
row says how many, and its seconds per update are then solves x seconds per solve plus the other phases.
"""

import argparse
import csv
import json
import os
import platform
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from autograd_problem import AutogradProblem

import topologies
from policies.algorithms.learner import Spaces
from policies.algorithms.matrpo import Matrpo, MatrpoSettings
from policies.nn.precision import Device
from testbed import environments
from testbed.consensus.edge_admm.algorithm import EdgeADMM
from testbed.consensus.settings import Budget, ConsensusSettings
from testbed.network import Network, NetworkSettings, Streams
from testbed.training.communication import NetworkCommunication
from testbed.training.rollout import Collector

SAMPLES = 10_000


HEAD = """# The cost of one policy update

    python tests/benchmarks/policy_update.py --out studies/results/policy-update --at-most {at_most} \\
        --audited {audited}

One MATRPO update by fresh networks (2 x 128 SELU) from {samples:,} samples at the paper's settings for each
task: cooperative navigation with 3 and 6 agents (observations of 14 and 26 numbers), treasure collection with
8 and 12 (86 and 162). One thread, each row in a process of its own; commit {commit}, torch {torch},
{machine}, seed 0. The error of a solve is |u - u*| / |u*| against float64, mean over the first {audited}
activations. Ratios are of consensus phases, to the first row of the same task.

| N | way | s per update | consensus, s | ratio | ms per solve | Fisher products per solve | solve error | \
peak memory, MiB | activations timed |
|---|---|---|---|---|---|---|---|---|---|"""


@dataclass(frozen=True)
class Task:
    """The paper's settings for one task."""

    environment: dict
    delta_per_agent: float
    activations: int
    penalty: float


TASKS = {
    3: Task({"name": "navigation", "agents": 3}, 0.003, 100, 1.0),
    6: Task({"name": "navigation", "agents": 6}, 0.003, 150, 1.0),
    8: Task({"name": "treasure", "hunters": 6, "banks": 2}, 0.001, 200, 5.0),
    12: Task({"name": "treasure", "hunters": 9, "banks": 3}, 0.001, 500, 5.0),
}
PLAIN = {"preconditioner": "none", "iterations": 10, "tolerance": 0.0, "warm_start": False}
WAYS = {
    "autograd + 10 plain CG": PLAIN,
    "cached + 10 plain CG": PLAIN,
    "cached + K-FAC, directions kept": {},
    "the same, bfloat16-matmul": {},
}
AUTOGRAD, _, DEFAULT, BFLOAT16 = WAYS


def measure(agents: int, way: str, activations: int, audit: bool, device: Device = "cpu") -> dict[str, float]:
    """One update by fresh networks in this process."""
    torch.set_num_threads(1)
    task = TASKS[agents]
    settings = MatrpoSettings(
        delta_per_agent=task.delta_per_agent,
        precision="bfloat16-matmul" if way == BFLOAT16 else "float32",
        device=device,
        solver={**WAYS[way], "audit": audit},
    )
    world = environments.make(batch=SAMPLES // 100, **task.environment)
    generator = np.random.default_rng(0)
    learner = Matrpo(
        settings,
        Spaces(agents, world.observation_size, world.action_size),
        generator,
    )
    laps = {}

    def lap(name: str) -> None:
        if device == "cuda":
            torch.cuda.synchronize()  # work on a GPU has only been asked for when a call returns
        laps[name] = time.perf_counter()

    began = time.perf_counter()
    batch, _ = Collector(world, seed=0).collect(learner, 100, generator)
    lap("rollout")
    pose = learner.build_subproblems

    def posed(*arguments):
        problems = pose(*arguments)
        lap("pose")
        if way == AUTOGRAD:
            for problem in problems:
                problem.__class__ = AutogradProblem
        return problems

    learner.build_subproblems = posed
    streams = Streams(0)
    network = Network(topologies.make("ring", agents), NetworkSettings(), streams)
    consensus = ConsensusSettings(
        penalty=task.penalty, budget=Budget(activations=activations), curve_every=10_000
    )
    agreement = EdgeADMM(network, consensus, streams)
    result = learner.learn(batch, NetworkCommunication(agreement), np.random.default_rng(0), lap)
    solving = laps["consensus"] - laps["pose"]
    other = laps["adopt"] - began - solving
    per_solve = solving / result["solves"]
    solves = 2 * task.activations
    return {
        "agents": agents,
        "way": way,
        "activations_timed": activations,
        "solves": result["solves"],
        "seconds_per_solve": per_solve,
        "consensus_seconds": laps["pose"] - laps["values"] + solves * per_solve,
        "update_seconds": other + solves * per_solve,
        "rollout_seconds": laps["rollout"] - began,
        "products_per_solve": result["fisher_products"] / result["solves"],
        "solve_error": result.get("solve_error", float("nan")),
        "relative_disagreement": result["relative_disagreement"],
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def elsewhere(script: str, *arguments: object) -> dict[str, Any]:
    """The row that ``script --case`` measures and prints, in a process of its own."""
    command = [sys.executable, script, "--case", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    row: dict[str, Any] = json.loads(done.stdout)
    return row


def write(rows: list[dict[str, Any]], out: Path) -> None:
    """The rows as ``table.csv``."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / "table.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def table(out: Path, at_most: int, audited: int) -> None:
    """Measure everything and write ``table.csv`` and ``README.md``."""
    rows = []
    for agents, task in TASKS.items():
        for way, options in WAYS.items():
            slow = options is PLAIN
            timed = min(task.activations, at_most) if slow and agents > 3 else task.activations
            row = elsewhere(__file__, agents, way, timed, 0)
            row["solve_error"] = elsewhere(__file__, agents, way, min(task.activations, audited), 1)[
                "solve_error"
            ]
            rows.append(row)
            print(json.dumps(row), file=sys.stderr, flush=True)
    write(rows, out)
    (out / "README.md").write_text(markdown(rows, at_most, audited), encoding="utf-8")


def markdown(rows: list[dict], at_most: int, audited: int) -> str:
    """The table for people."""
    git = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    lines = [
        HEAD.format(
            at_most=at_most,
            audited=audited,
            samples=SAMPLES,
            commit=commit,
            torch=torch.__version__,
            machine=platform.machine(),
        )
    ]
    for row in rows:
        first = next(each for each in rows if each["agents"] == row["agents"])
        cells = (
            f"{row['agents']}",
            row["way"],
            f"{row['update_seconds']:.1f}",
            f"{row['consensus_seconds']:.1f}",
            f"{first['consensus_seconds'] / row['consensus_seconds']:.1f}",
            f"{1000 * row['seconds_per_solve']:.0f}",
            f"{row['products_per_solve']:.2f}",
            f"{row['solve_error']:.2%}",
            f"{row['peak_memory_mib']:.0f}",
            f"{row['activations_timed']}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, help="folder of the table")
    parser.add_argument("--at-most", type=int, default=30, help="activations of slow ways with over 3 agents")
    parser.add_argument("--audited", type=int, default=100, help="activations whose solves are audited")
    parser.add_argument("--case", nargs=4, metavar=("AGENTS", "WAY", "ACTIVATIONS", "AUDIT"))
    given = parser.parse_args()
    if given.case:
        agents, way, activations, audit = given.case
        print(json.dumps(measure(int(agents), way, int(activations), bool(int(audit)))))
    elif given.out:
        table(given.out, given.at_most, given.audited)
    else:
        parser.error("--out or --case")


if __name__ == "__main__":
    main()
