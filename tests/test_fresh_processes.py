"""Processes that are forked for tests are what new interpreters are."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import fresh_processes
import pytest
from fresh_processes import ServerError, run, start
from running_processes import alive, gone

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere they are new interpreters")

PIPE = subprocess.PIPE
ALL = """\
import json, locale, multiprocessing.process, os, signal, sys, threading
from importlib import metadata
main = sys.modules["__main__"]
streams = [sys.stdin, sys.stdout, sys.stderr]
print(json.dumps({
    "argv": sys.argv, "orig_argv": sys.orig_argv, "path": sys.path, "flags": [*sys.flags[:4], *sys.flags[5:]],
    "bytecode": sys.dont_write_bytecode, "environment": dict(os.environ), "folder": os.getcwd(),
    "main": [main.__name__, main.__package__, getattr(main, "__file__", None)],
    "loader": type(main.__loader__).__name__,
    "spec": getattr(main.__spec__, "name", None), "mine": __name__, "own": main.__dict__ is globals(),
    "signals": {str(each): str(signal.getsignal(each)) for each in signal.valid_signals()},
    "blocked": list(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "streams": [[each.encoding, each.errors, each.line_buffering, each.name] for each in streams],
    "seekable": [each.seekable() for each in streams],
    "descriptors": len(os.listdir("/proc/self/fd")), "threads": threading.active_count(),
    "folder of processes": multiprocessing.process.ORIGINAL_DIR,
    "packages": [each.metadata["Name"] for each in metadata.distributions(path=sys.path[:2])],
    "input": sys.stdin.read(), "umask": os.umask(0),
}))
"""


def real(arguments, **options):
    """What a new interpreter does."""
    options = {"capture_output": True, "text": True, "timeout": 60, "check": False, **options}
    return subprocess.run([sys.executable, *arguments], **options)


def ended(done):
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def place(tmp_path):
    """A folder with a script, a package and a package's entry points."""
    for name in ("script.py", "module.py", "package/__main__.py", "package/__init__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("" if "init" in name else ALL)
    (tmp_path / "things-1.0.dist-info").mkdir()
    (tmp_path / "things-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: things\n")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (["-c", ALL, "-m", "b c"], None),
        (["-m", "module", "a"], ""),
        (["-m", "package"], "{place}"),
        (["script.py", "a", "-c"], "elsewhere::{place}:/none"),
    ],
    ids=["code", "module", "package", "script"],
)
def test_a_process_has_what_it_is_given(place, arguments, path):
    variables = {**os.environ, "ODD": "ä\udcff", "PYTHONDONTWRITEBYTECODE": "1"}
    for name in ("PYTHONPATH", "PATH"):
        variables.pop(name, None)
    if path is not None:
        variables["PYTHONPATH"] = path.format(place=place)
    given = {"cwd": place, "env": variables, "input": "some input\n"}
    code, out, err = ended(run(arguments, **given))
    assert (code, err) == (0, "")
    assert json.loads(out) == json.loads(real(arguments, **given).stdout)


@pytest.mark.parametrize(
    "code",
    [
        "raise SystemExit",
        "import sys; print('said'); sys.exit(3)",
        "import sys; sys.exit('a reason')",
        "import sys; sys.exit(-1)",
        "def f():\n    1 / 0\ntry:\n    f()\nexcept ArithmeticError as e:\n    raise TypeError from e",
        "if",
        "raise KeyboardInterrupt",
        "import os; os._exit(4)",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
        "import atexit; atexit.register(print, 'last'); print('first'); 1 / 0",
        "import threading; threading.Timer(0.01, print, ['late']).start()",
        "import sys; sys.excepthook = lambda *_: print('my own'); 1 / 0",
        "import os, sys; os.close(1); print('lost')",
        "import sys; sys.stdout.close()",
        "import sys; sys.stdout = None",
        "import sys; print('half', end=''); sys.stderr.write('a')",
    ],
)
def test_a_process_ends_as_a_new_interpreter_does(code):
    assert ended(run(["-c", code])) == ended(real(["-c", code]))


def test_a_traceback_begins_in_the_program(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import json\njson.loads('')\n")
    code, _, err = ended(run([script]))
    assert code == 1
    assert err.startswith(f'Traceback (most recent call last):\n  File "{script}", line 2, in <module>\n')
    assert (code, "", err) == ended(real([script]))


@pytest.mark.parametrize("arguments", [["-m", "no_such_module"], ["-m", "package"]])
def test_a_module_that_cannot_be_run_is_refused_by_python(arguments, tmp_path):
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    assert ended(run(arguments, cwd=tmp_path)) == ended(real(arguments, cwd=tmp_path))


def test_libraries_are_there_and_nothing_of_the_testbed_is():
    code = "import sys; print(*[name for name in sys.argv[1:] if name in sys.modules])"
    names = ("torch", "matplotlib.pyplot", "testbed", "studies", "topologies", "policies", "pytest")
    assert run(["-c", code, *names], check=True).stdout.split() == ["torch", "matplotlib.pyplot"]


def test_packages_that_are_added_later_are_found(tmp_path):
    code = "from importlib import metadata; print(*metadata.entry_points(group='a.group').names)"
    given = {"env": {**os.environ, "PYTHONPATH": str(tmp_path)}}
    for name in ("one", "two"):
        (tmp_path / f"{name}-1.0.dist-info").mkdir()
        (tmp_path / f"{name}-1.0.dist-info" / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\n")
        (tmp_path / f"{name}-1.0.dist-info" / "entry_points.txt").write_text(f"[a.group]\n{name} = json\n")
        assert name in run(["-c", code], **given).stdout.split()


def test_what_one_process_imports_and_draws_no_other_has():
    code = "import numpy, random, sys; print('wave' in sys.modules, numpy.random.rand(), random.random())"
    said = {run(["-c", f"{code}; import wave"]).stdout for _ in range(3)}
    assert len(said) == 3
    assert all(line.startswith("False ") for line in said)


def test_more_than_pipes_hold_goes_both_ways():
    code = "import sys; text = sys.stdin.read(); sys.stderr.write(text); sys.stdout.write(text)"
    text = "0123456789" * 30_000
    assert ended(run(["-c", code], input=text)) == (0, text, text)


def test_a_process_that_does_not_end_in_time_is_killed(monkeypatch):
    kept = []

    def keeping(*arguments, **options):
        kept.append(start(*arguments, **options))
        return kept[0]

    monkeypatch.setattr(fresh_processes, "start", keeping)
    with pytest.raises(subprocess.TimeoutExpired):
        run(["-c", "import time; time.sleep(600)"], timeout=0.01)
    assert kept[0].returncode == -signal.SIGKILL


def test_a_failure_shows_what_the_process_has_said():
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run(["-c", "1 / 0"], check=True)
    assert "ZeroDivisionError: division by zero" in caught.value.__notes__[0]


def test_a_process_that_cannot_begin_is_an_error():
    with pytest.raises(ServerError, match=r"could not begin: .*illegal environment variable name"):
        run(["-c", ""], env={**os.environ, "A=B": "c"})


def test_sessions_and_signals_are_those_of_a_process_of_its_own():
    # A shell that puts the tests in the background lets them, and all they start, ignore SIGINT.
    hears = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{hears}; import time; print('there', flush=True); time.sleep(600)"
    with start(["-c", code], stdout=PIPE, text=True, start_new_session=True) as process:
        assert os.getsid(process.pid) == process.pid
        assert process.stdout.readline() == "there\n"
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
    assert process.returncode == -signal.SIGINT
    with start(["-c", code], stdout=PIPE, stderr=subprocess.DEVNULL) as process:
        assert os.getpgid(process.pid) == os.getpgid(0)
        process.terminate()
    assert (process.returncode, process.poll()) == (-signal.SIGTERM, -signal.SIGTERM)


def test_the_number_of_a_process_is_its_own_until_its_end_is_known():
    with start(["-c", ""], stdout=PIPE) as process:
        assert process.stdout.read() == b""
        for _ in range(3):  # requests, in which it is seen to have ended
            run(["-c", ""], check=True)
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == 0


def test_output_goes_where_it_is_sent(tmp_path):
    code = "import os; print('one', flush=True); os.write(2, b'two')"
    with (tmp_path / "said").open("wb") as file, start(["-c", code], stdout=file, stderr=file):
        pass
    assert (tmp_path / "said").read_text() == "one\ntwo"
    with start(["-c", code], stdout=PIPE, stderr=subprocess.STDOUT) as process:
        assert process.communicate(timeout=60) == (b"one\ntwo", None)


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "PYTHONHASHSEED", "CUDA_VISIBLE_DEVICES"])
def test_what_is_read_only_once_needs_an_interpreter_of_its_own(name):
    with pytest.raises(
        ValueError, match=f"{name}: is '17', was .* when the tests began, and is read only once"
    ):
        run(["-c", ""], env={**os.environ, name: "17"})


@pytest.mark.parametrize("arguments", [[], ["-c"], ["-m"], ["-"], ["-I", "-c", ""], ["-Ic", "pass"]])
def test_options_of_python_need_an_interpreter_of_their_own(arguments):
    with pytest.raises(ValueError, match="must be -c CODE, -m MODULE or the path of a script"):
        run(arguments)


def test_other_options_need_an_interpreter_of_their_own():
    with pytest.raises(ValueError, match="preexec_fn: only an interpreter of its own has these options"):
        start(["-c", ""], preexec_fn=print)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        run(["-c", ""], cwd=tmp_path / "nowhere")


def test_elsewhere_than_on_linux_it_is_a_new_interpreter(monkeypatch):
    monkeypatch.setattr(fresh_processes, "sys", SimpleNamespace(platform="darwin", executable=sys.executable))
    code = "import sys; print('torch' in sys.modules, *sys.argv, sys.stdin.read())"
    assert ended(run(["-c", code, "a"], input="b")) == (0, "False -c a b\n", "")
    with start(["-c", code], stdin=subprocess.DEVNULL, stdout=PIPE, text=True) as process:
        assert process.communicate() == ("False -c \n", None)


@pytest.fixture
def server(monkeypatch):
    """A server without libraries, which takes the place of the usual one."""
    server = fresh_processes._Server(libraries=())
    monkeypatch.setattr(fresh_processes, "_server", lambda: server)
    yield server
    server.close()


def test_the_end_of_the_server_is_an_error(server):
    with start(["-c", "input()"], stdin=PIPE) as process:
        server.process.kill()
        server.process.wait()
        with pytest.raises(ServerError, match=r"the server of fresh processes has ended \(exit code -9\)"):
            process.wait()
        process.returncode = 0  # nobody will know
    with pytest.raises(ServerError, match="has ended"):
        run(["-c", ""])


def test_a_server_that_cannot_import_says_why():
    with pytest.raises(ServerError, match=r"(?s)cannot be used: .*No module named 'no_such_library'"):
        fresh_processes._Server(libraries=["no_such_library"])


def test_a_server_that_has_imported_what_is_tested_says_so():
    with pytest.raises(ServerError, match="cannot be used: the imports have imported wave"):
        fresh_processes._Server(libraries=["wave"], own=["wave"])


PARENT = """\
import sys, fresh_processes
server = fresh_processes._Server(libraries=())
print(server.process.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, None])
def test_the_server_ends_with_the_process_that_uses_it(number):
    variables = {**os.environ, "PYTHONPATH": str(Path(fresh_processes.__file__).parent)}
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=PIPE, stdout=PIPE, text=True, env=variables
    ) as parent:
        server = int(parent.stdout.readline())
        assert alive(server)
        if number is not None:
            parent.send_signal(number)
        parent.stdin.close()
    assert parent.returncode == -(number or 0)
    assert gone([server])
