"""Connections to a Ray cluster, by a double of `ray.init`."""

import pytest

from studies.spec.document import StudyError

ray = pytest.importorskip("ray")

from studies.execution.ray import cluster  # noqa: E402

DIED = """Initialization failure from server:
Traceback (most recent call last):
  File "proxier.py", line 772, in Datapath
RuntimeError: Starting Ray client server failed. See ray_client_server_23000.err for detailed logs.
"""

DIED_WHILE_ASKED = """Initialization failure from server:
Traceback (most recent call last):
  File "proxier.py", line 396, in start_specific_server
    cmd = psutil_proc.cmdline()
psutil.{error} (pid=17175)
"""


@pytest.fixture
def failures(monkeypatch):
    """What `ray.init` raises, in this order; it then succeeds."""
    failures = []

    def init(address, **options):
        if failures:
            raise failures.pop(0)

    monkeypatch.setattr(cluster.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(cluster.ray, "init", init)
    monkeypatch.setattr(cluster.ray, "shutdown", lambda: None)
    return failures


@pytest.mark.parametrize(
    "message",
    [
        DIED,
        DIED_WHILE_ASKED.format(error="ZombieProcess: PID still exists but it's a zombie"),
        DIED_WHILE_ASKED.format(error="NoSuchProcess: process no longer exists"),
    ],
)
def test_connects_again_where_the_head_could_not_start_a_server_for_the_driver(failures, message):
    failures += [ConnectionAbortedError(message)] * (cluster.CONNECTIONS - 1)
    with cluster.connected("ray://127.0.0.1:10001", 1):
        assert not failures


def test_gives_up_in_one_line_that_says_what_happened(failures):
    failures += [ConnectionAbortedError(DIED)] * (cluster.CONNECTIONS + 1)
    line = "no connection: RuntimeError: Starting Ray client server failed. See [^\n]*logs.$"
    with pytest.raises(StudyError, match=line), cluster.connected("ray://127.0.0.1:10001", 1):
        pass
    assert len(failures) == 1


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ConnectionAbortedError("Initialization failure from server:\nanother version"), "another version$"),
        (ConnectionError("ray client connection timeout\nmore"), "ray client connection timeout$"),
        (RuntimeError(), "RuntimeError$"),
    ],
)
def test_does_not_connect_again_after_another_failure(failures, error, line):
    failures += [error, AssertionError("connected again")]
    with (
        pytest.raises(StudyError, match=f"no connection: {line}"),
        cluster.connected("ray://127.0.0.1:10001", 1),
    ):
        pass
    assert len(failures) == 1
