"""What one MATRPO update at the paper's settings costs on one core of a processor and on a GPU.

    python tests/benchmarks/devices.py --out studies/results/devices

Both on the same machine, one after the other; each row is a process of its own, and measures its second
update, because the first one also loads the libraries of the GPU.
"""

import argparse
import itertools
import json
import sys
from pathlib import Path

import torch
from policy_update import BFLOAT16, DEFAULT, TASKS, elsewhere, measure, write

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
        rows = []
        for agents, (device, way) in itertools.product(TASKS, CASES):
            rows.append(elsewhere(__file__, agents, way, device))
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
        write(rows, given.out)
    else:
        parser.error("--out or --case")


if __name__ == "__main__":
    main()
