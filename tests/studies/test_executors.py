"""The pool of processes."""

import pytest

from studies.executors import Failed, Finished, LocalPool, Started


@pytest.fixture
def fakes(monkeypatch):
    """The stand-ins under a name that spawned processes can import."""
    monkeypatch.syspath_prepend(__file__.rpartition("/")[0])
    import fake_tasks

    return fake_tasks


def test_a_process_that_dies_fails_its_task_and_the_others_go_on(fakes):
    events = list(LocalPool(2, fakes.die_at_odd).run(range(4)))
    ended = {event.index: event for event in events if not isinstance(event, Started)}
    assert [type(ended[index]) for index in range(4)] == [Finished, Failed, Finished, Failed]
    assert "exit code 9" in ended[1].trace
    assert [event.index for event in events if isinstance(event, Started)] == [0, 1, 2, 3]


def test_each_process_has_one_arithmetic_thread_and_errors_keep_their_traceback(fakes, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    (failed,) = [event for event in LocalPool(1, fakes.environment).run([None]) if isinstance(event, Failed)]
    assert failed.trace.startswith("Traceback")
    assert failed.trace.endswith("ValueError: threads 1\n")


def test_closing_stops_what_runs(fakes):
    running = LocalPool(1, fakes.sleep).run([60.0, 60.0])
    assert next(running) == Started(0)
    running.close()
