"""Stand-ins for a trial's work, importable by the processes that the pool spawns."""

import os
import time

from studies.execution.executor import ProgressCallback
from studies.execution.runner import Task, perform
from studies.storage.store import Store


def numbers(task: Task, report: ProgressCallback) -> None:
    """Stores a curve and a metric that depend on the trial alone, and notes in a file that it ran."""
    trial = task.trial
    loss = float(trial.varied.get("network.link.loss", 0.0))
    rows = [
        {"activations": k, "relative_disagreement": (0.9 + loss / 20) ** k, "wall_x": k} for k in range(9)
    ]
    report("consensus", 8, 8, {"disagreement": rows[-1]["relative_disagreement"]})
    with (task.folder.parent / "ran.txt").open("a") as file:
        file.write(f"{trial.hash}\n")
    Store(task.folder).write(
        trial, {"error": loss + trial.seed, "wall": 1.0}, {"consensus": rows}, task.versions, 1
    )


def numbers_but_fail_at_loss(task: Task, report: ProgressCallback) -> None:
    """As above, but lossy trials raise."""
    if task.trial.varied["network.link.loss"]:
        raise RuntimeError("the bridge is out")
    numbers(task, report)


def train_and_wait(task: Task, report: ProgressCallback) -> None:
    """Trains, notes which node and process has made an update, and waits after the second to go on."""

    def note(phase: str, done: int, total: int, latest: dict[str, float]) -> None:
        if phase == "training":
            with (task.folder.parent / "updates.txt").open("a") as file:
                node = ray.get_runtime_context().get_node_id()
                file.write(f"{task.trial.hash} {done} {node} {os.getpid()}\n")
        report(phase, done, total, latest)
        late = time.monotonic() + 120
        while done == 2 and not (task.folder.parent / "go").exists() and time.monotonic() < late:
            time.sleep(0.1)
            report(phase, done, total, latest)  # the first may have come too soon to be sent

    import ray

    perform(task, note)
