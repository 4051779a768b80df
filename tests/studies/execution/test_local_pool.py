"""The pool of processes."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import fake_tasks
import pytest
from running_processes import alive, gone

from studies.execution import fork_server, host_resources, local_pool
from studies.execution.executor import Failed, Finished, Held, Started
from studies.execution.local_pool import LocalPool

GIB = 2**30


def test_a_process_that_dies_fails_its_task_and_the_others_go_on():
    events = list(LocalPool(2, fake_tasks.die_at_odd).run(range(4)))
    ended = {event.index: event for event in events if not isinstance(event, Started)}
    assert [type(ended[index]) for index in range(4)] == [Finished, Failed, Finished, Failed]
    assert "exit code 9" in ended[1].trace
    assert [event.index for event in events if isinstance(event, Started)] == [0, 1, 2, 3]


def test_each_process_has_one_arithmetic_thread_and_errors_keep_their_traceback(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    (failed,) = [
        event for event in LocalPool(1, fake_tasks.environment).run([None]) if isinstance(event, Failed)
    ]
    assert failed.trace.startswith("Traceback")
    assert failed.trace.endswith("ValueError: threads 1\n")


def test_closing_stops_what_runs():
    running = LocalPool(1, fake_tasks.sleep).run([60.0, 60.0])
    assert next(running) == Started(0)
    running.close()


def number_in(file):
    """What a process has written into a file, as soon as it is there."""
    deadline = time.monotonic() + 60
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return int(file.read_text())


linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@linux
@pytest.mark.parametrize("name", ["stopped", "deaf"])
def test_closing_ends_a_worker_that_cannot_hear_it(tmp_path, monkeypatch, name):
    monkeypatch.setattr(local_pool, "GRACE", 0.2)
    running = LocalPool(1, fake_tasks.note_then_stop_or_spin).run([tmp_path / name])
    assert next(running) == Started(0)
    process = number_in(tmp_path / name)
    running.close()
    assert not alive(process)


PARENT = """\
import sys
from pathlib import Path
import fake_tasks
from studies.execution import fork_server
from studies.execution.local_pool import LocalPool
fork_server.LIBRARIES = fork_server.OWN = ()
if __name__ == "__main__":
    list(LocalPool(2, getattr(fake_tasks, sys.argv[1])).run([Path(path) for path in sys.argv[2:]]))
"""


@linux
@pytest.mark.parametrize(
    ("task", "names"),
    [("note_then_stop_or_spin", ["stopped", "deaf"]), ("note_then_never_return_from_c", ["in C"])],
)
def test_workers_end_with_a_parent_that_is_killed_whatever_they_do(tmp_path, task, names):
    files = [tmp_path / name for name in names]
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, script, task, *files], env=environment) as parent:
        workers = [number_in(file) for file in files]
        parents = {int(Path(f"/proc/{worker}/stat").read_text().split()[3]) for worker in workers}
        parent.send_signal(signal.SIGKILL)
    if fork_server.AVAILABLE:
        assert len(parents - {parent.pid}) == 1
        workers += parents
    assert gone(workers)


def most_at_once(events):
    running, most = 0, 0
    for event in events:
        running += isinstance(event, Started) - isinstance(event, Finished)
        most = max(most, running)
    assert running == 0
    return most


@pytest.mark.parametrize(
    ("peaks", "available", "at_once"),
    [
        ((6, 6, 6), 10, 1),  # what a task will use yet counts, though its process is small as yet
        ((6, 6, 6), 13, 2),
        ((6, 6, 6), 1, 1),  # one always runs
        ((6, None, 6), 7, 2),  # one that is not known has room beside another, and leaves it room
        ((6, 6, 6), None, 3),  # a system that does not tell
    ],
)
def test_a_task_begins_while_it_fits_into_memory(peaks, available, at_once):
    tasks = [0.3, 0.31, 0.32]
    known = {task: peak and peak * GIB for task, peak in zip(tasks, peaks, strict=True)}
    pool = LocalPool(3, fake_tasks.sleep, memory=known.get, available=lambda: available and available * GIB)
    events = list(pool.run(tasks))
    assert most_at_once(events) == at_once
    held = [event.reason for event in events if isinstance(event, Held)]
    assert len(held) == (at_once < 3)
    if available == 10:
        (line,) = held
        missing = re.fullmatch(
            r"1 at once, not 3: another one would need ([0-9,]+) MiB more memory than is free", line
        )
        assert 1024 < int(missing[1].replace(",", "")) < 2048  # 6 + 6 - 10 GiB, less a process


def test_a_task_begins_when_others_give_memory_back():
    left = iter([1, 1, *[100] * 9])
    pool = LocalPool(2, fake_tasks.sleep, memory=lambda task: 6 * GIB, available=lambda: next(left) * GIB)
    events = pool.run([60.0, 0.0])
    assert next(events) == Started(0)
    assert isinstance(next(events), Held)
    assert next(events) == Started(1)  # while the first sleeps
    assert next(events) == Finished(1)
    events.close()


@pytest.fixture
def system(tmp_path):
    """Writes the files of a system that has 4000 kB available and is in a group of the given version."""

    def system(membership, files):
        proc, groups = tmp_path / "proc", tmp_path / "cgroup"
        (proc / "self").mkdir(parents=True)
        (proc / "meminfo").write_text("MemTotal:  9000 kB\nMemAvailable:    4000 kB\nHugePages_Total: 0\n")
        (proc / "self" / "cgroup").write_text(membership)
        for name, text in files.items():
            (groups / name).parent.mkdir(parents=True, exist_ok=True)
            (groups / name).write_text(f"{text}\n")
        return host_resources.available_memory(proc, groups)

    return system


KIB = 1024


def test_available_memory_is_what_the_kernel_estimates(system):
    assert system("0::/user\n", {"user/memory.max": "max", "user/memory.current": 99}) == 4000 * KIB


def test_a_limit_of_an_outer_group_counts_and_old_files_give_way(system):
    files = {
        "job/memory.max": 3000 * KIB,
        "job/memory.current": 1000 * KIB,
        "job/memory.stat": f"anon 1\ninactive_file {500 * KIB}",
        "job/step/memory.max": "max",
        "job/step/memory.current": 900 * KIB,
    }
    assert system("0::/job/step\n", files) == 2500 * KIB


def test_the_first_version_of_control_groups_is_read_too(system):
    files = {
        "memory/job/memory.limit_in_bytes": 3000 * KIB,
        "memory/job/memory.usage_in_bytes": 2000 * KIB,
        "memory/job/memory.stat": f"inactive_file 7\ntotal_inactive_file {250 * KIB}",
        "memory/memory.limit_in_bytes": 2**63 - 4096,
        "memory/memory.usage_in_bytes": 8000 * KIB,
    }
    assert system("5:cpu:/job\n4:hugetlb,memory:/job\n0::/\n", files) == 1250 * KIB


def test_all_of_the_memory_is_the_machine_s_with_its_swap_or_the_lowest_limit(tmp_path):
    proc, groups = tmp_path / "proc", tmp_path / "groups"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text("MemTotal:  9000 kB\nMemAvailable: 10 kB\nSwapTotal: 1000 kB\n")
    (proc / "self" / "cgroup").write_text("0::/job\n")
    assert host_resources.total_memory(proc, groups) == 10_000 * KIB
    (groups / "job").mkdir(parents=True)
    (groups / "job" / "memory.max").write_text("max\n")
    assert host_resources.total_memory(proc, groups) == 10_000 * KIB
    (groups / "job" / "memory.max").write_text(f"{3000 * KIB}\n")
    assert host_resources.total_memory(proc, groups) == 3000 * KIB


def test_a_system_without_proc_does_not_tell(tmp_path):
    assert host_resources.total_memory(tmp_path / "proc") is None
    assert host_resources.available_memory(tmp_path / "proc") is None
    assert host_resources.resident_memory(1, tmp_path / "proc") == 0
