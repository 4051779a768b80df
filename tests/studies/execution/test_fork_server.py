"""The process that workers are forked from."""

import json
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import fake_tasks
import pytest
from running_processes import alive, gone

from studies.execution import fork_server, fork_server_main, local_pool
from studies.execution.executor import Failed, Finished, Held, Started
from studies.execution.local_pool import LocalPool
from studies.spec.document import StudyError

pytestmark = pytest.mark.skipif(not fork_server.AVAILABLE, reason="has no fork servers")


@pytest.fixture
def servers(monkeypatch):
    """The servers of a test, which import little and are its own."""
    servers = {}
    monkeypatch.setattr(fork_server, "_servers", servers)
    monkeypatch.setattr(fork_server, "LIBRARIES", ("numpy",))
    monkeypatch.setattr(fork_server, "OWN", ())
    yield servers
    for each in servers.values():
        each.close()


def told(*files, jobs=1):
    assert Finished(0) in list(LocalPool(jobs, fake_tasks.tell).run(files))
    return [json.loads(file.read_text()) for file in files]


def test_a_worker_gets_what_there_is_when_it_starts(servers, tmp_path, monkeypatch, capfd):
    (first,) = told(tmp_path / "first")
    capfd.readouterr()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ADDED", "2")
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    monkeypatch.syspath_prepend(tmp_path / "added")
    (second,) = told(tmp_path / "second")
    assert second["parent"] == first["parent"] not in (os.getpid(), 1)
    assert (first["folder"] != str(tmp_path), second["folder"]) == (True, str(tmp_path))
    assert second["path"][0] == str(tmp_path / "added")
    assert "PYTEST_CURRENT_TEST" in first["variables"]
    assert second["variables"] == {**os.environ, **local_pool.ONE_THREAD}
    assert second["stdin"] == "/dev/null"
    assert capfd.readouterr() == ("a word of a worker\n", "a word of its errors\n")


def test_by_default_everything_is_imported_in_one_thread_and_no_gpu_is_used(tmp_path):
    (found,) = told(tmp_path / "found")
    assert {"torch", "pyarrow.parquet", "testbed.workloads", "studies.execution.runner"} < {*found["loaded"]}
    assert (found["threads of the parent"], found["GPU"]) == (1, False)


def test_with_other_packages_entry_points_it_imports_libraries_alone(servers, tmp_path, monkeypatch):
    monkeypatch.setattr(fork_server, "OWN", ("colorsys",))
    assert "colorsys" in told(tmp_path / "alone")[0]["loaded"]
    package = tmp_path / "theirs-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Name: theirs\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[consensus_testbed.learners]\nmine = theirs:Mine\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "colorsys" not in told(tmp_path / "extended")[0]["loaded"]
    assert len(servers) == 2  # the first may have loaded what is there no more


def test_no_two_workers_draw_the_same(servers, tmp_path):
    found = told(*(tmp_path / str(n) for n in range(3)), jobs=3)
    assert len({each["draw"] for each in found}) == len({each["draw of NumPy"] for each in found}) == 3


def test_variables_that_are_read_once_have_a_server_of_their_own(servers, tmp_path, monkeypatch):
    one, same = told(tmp_path / "one")[0], told(tmp_path / "same")[0]
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    other = told(tmp_path / "other")[0]
    assert one["parent"] == same["parent"] != other["parent"]
    assert len(servers) == 2


def test_a_worker_that_ends_by_itself_is_reported_and_ends_properly(servers, tmp_path):
    events = list(LocalPool(1, fake_tasks.end).run([tmp_path / "ended"]))
    assert events == [Started(0), Failed(0, "the process of this trial ended by itself, exit code 7\n")]
    assert (tmp_path / "ended").exists()


def test_after_the_server_was_killed_there_is_another(servers, tmp_path):
    first = told(tmp_path / "first")[0]["parent"]
    running = LocalPool(1, fake_tasks.raise_die_or_sleep).run([tmp_path / "asleep"])
    assert next(running) == Started(0)
    next(running)  # it sleeps
    os.kill(first, signal.SIGKILL)
    assert list(running) == [Failed(0, "the process of this trial ended by itself, exit code 255\n")]
    assert told(tmp_path / "second")[0]["parent"] != first


@pytest.mark.parametrize("times", [1, 2])
def test_one_that_is_killed_just_before_it_forks_is_replaced_once(servers, tmp_path, monkeypatch, times):
    class Killed(fork_server.Server):
        left = times

        def fork(self, descriptors):
            if Killed.left:
                Killed.left -= 1
                self._process.kill()
                self._process.wait()
            super().fork(descriptors)

    monkeypatch.setattr(fork_server, "Server", Killed)
    if times == 1:
        told(tmp_path / "second")
    else:
        with pytest.raises(StudyError, match=r"^no process for trials can be started: exit code -9$"):
            told(tmp_path / "second")


def test_an_import_that_fails_is_one_line(servers, tmp_path, monkeypatch):
    (tmp_path / "broken_library.py").write_text("raise OSError('not\\nhere')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(fork_server, "LIBRARIES", ("broken_library",))
    with pytest.raises(StudyError) as raised:
        list(LocalPool(1, fake_tasks.sleep).run([0.0]))
    assert str(raised.value) == (
        "no process for trials can be started: importing broken_library: OSError: not here"
    )
    assert servers == {}


def test_imports_that_start_threads_are_said_and_processes_spawned(servers, tmp_path, monkeypatch):
    (tmp_path / "threaded_library.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(fork_server, "LIBRARIES", ("threaded_library",))
    for file in (tmp_path / "first", tmp_path / "second"):
        held, *events = LocalPool(1, fake_tasks.tell).run([file])
        assert isinstance(held, Held)
        assert "the imports have started threads: python" in held.reason
        assert events == [Started(0), Finished(0)]
        assert json.loads(file.read_text())["parent"] == os.getpid()
    assert len(servers) == 1


def test_imports_that_use_a_gpu_are_unfit(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_initialized", lambda: True)
    monkeypatch.setattr(Path, "iterdir", lambda self: iter([self / str(os.getpid())]))
    assert fork_server_main._prepared(()) == "unfit the imports have used a GPU"


SCRIPT = """\
import os, sys, threading
from pathlib import Path
import fake_tasks
from studies.execution import fork_server
from studies.execution.local_pool import LocalPool
fork_server.LIBRARIES = fork_server.OWN = ()
def run():
    list(LocalPool(2, fake_tasks.tell).run([Path(path) for path in sys.argv[1:]]))
    Path(sys.argv[1] + ".done").touch()
    sys.stdin.read()
if __name__ == "__main__":
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
"""


@pytest.mark.parametrize("how", ["killed", "ended"])
def test_it_ends_with_its_parent_whatever_thread_started_it(tmp_path, how):
    script, file = tmp_path / "script.py", tmp_path / "found"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, script, file], env=environment, stdin=subprocess.PIPE) as parent:
        wait_until(Path(f"{file}.done").exists)
        server = json.loads(file.read_text())["parent"]
        assert alive(server)
        if how == "killed":
            parent.kill()
    assert parent.wait() == (0 if how == "ended" else -signal.SIGKILL)
    # Only one that ends by itself waits for its server.
    assert gone([server]) if how == "killed" else not alive(server)


def wait_until(true):
    deadline = time.monotonic() + 60
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert true()


SPLIT = """\
import sys, threading, time
from pathlib import Path
import fake_tasks
from studies.execution import fork_server
from studies.execution.local_pool import LocalPool
fork_server.LIBRARIES = fork_server.OWN = ()
if __name__ == "__main__":
    del sys.modules["numpy"]  # of the tasks
    if sys.argv[2] == "threaded":
        threading.Thread(target=time.sleep, args=(0.5,), daemon=True).start()
    with fork_server.first_imports(here=True):
        import colorsys
    (*servers,) = fork_server._servers.values()
    list(LocalPool(1, fake_tasks.tell).run([Path(sys.argv[1])]))
    print([server.pid for server in servers])
    assert fork_server._servers.popitem()[1].close() == 0
"""


@pytest.mark.parametrize("threads", ["one", "threaded"])
def test_a_command_s_server_is_split_off_after_its_first_imports(tmp_path, threads):
    script, file = tmp_path / "script.py", tmp_path / "found"
    script.write_text(SPLIT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, script, file, threads]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found = json.loads(file.read_text())
    if threads == "one":
        assert done.stdout.splitlines() == ["a word of a worker", f"[{found['parent']}]"]
        assert ("colorsys" in found["loaded"], found["stdin"]) == (True, "/dev/null")
    else:
        assert done.stdout.splitlines() == ["a word of a worker", "[]"]
        assert "colorsys" not in found["loaded"]
    assert not alive(found["parent"])


def test_nothing_is_split_off_a_process_that_has_used_pytorch(servers):
    with fork_server.first_imports(here=True):
        pass
    assert servers == {}


def test_a_script_without_a_guard_fails_in_the_worker_as_in_a_spawned_process(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import fake_tasks\nfrom studies.execution import fork_server\n"
        "from studies.execution.local_pool import LocalPool\nfork_server.LIBRARIES = fork_server.OWN = ()\n"
        "print(list(LocalPool(1, fake_tasks.sleep).run([0.0]))[-1].trace)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "the process of this trial ended by itself, exit code 1\n\n"
    assert "RuntimeError: \n        An attempt has been made to start a new process before" in done.stderr


def test_processes_that_are_forked_by_others_leave_it_alone(servers, tmp_path):
    first = told(tmp_path / "first")[0]["parent"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the process of the tests has threads
        child = os.fork()
    if child == 0:
        os._exit(len(fork_server._servers))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert told(tmp_path / "second")[0]["parent"] == first
