"""What one MATRPO update at the paper's settings costs on one core of a processor and on a GPU.

    python tests/benchmarks/devices.py --out studies/results/devices

Both on the same machine, one after the other; each row is a process of its own, and measures its second
update, because the first one also loads the libraries of the GPU.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import torch
from policy_update import BFLOAT16, TASKS, measure

DEFAULT = "cached + K-FAC, directions kept"
CASES = [("cpu", DEFAULT), ("cuda", DEFAULT), ("cuda", BFLOAT16)]


def one(agents: int, way: str, device: str) -> dict[str, object]:
    """One row, measured in this process."""
    measure(agents, way, 2, False, device)
    row = measure(agents, way, TASKS[agents].activations, False, device)
    memory = torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else row["peak_memory_mib"]
    error = measure(agents, way, 20, True, device)["solve_error"]
    of = torch.cuda.get_device_name() if device == "cuda" else "one core"
    return {**row, "solve_error": error, "peak_memory_mib": memory, "device": device, "of": of}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, help="folder of the table")
    parser.add_argument("--case", nargs=3, metavar=("AGENTS", "WAY", "DEVICE"))
    given = parser.parse_args()
    if given.case:
        agents, way, device = given.case
        print(json.dumps(one(int(agents), way, device)))
    elif given.out:
        rows = [elsewhere(agents, way, device) for agents in TASKS for device, way in CASES]
        given.out.mkdir(parents=True, exist_ok=True)
        with (given.out / "table.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    else:
        parser.error("--out or --case")


def elsewhere(*arguments: object) -> dict[str, object]:
    """``one`` in a process of its own."""
    command = [sys.executable, __file__, "--case", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    row: dict[str, object] = json.loads(done.stdout)
    print(done.stdout, end="", file=sys.stderr, flush=True)
    return row


if __name__ == "__main__":
    main()
