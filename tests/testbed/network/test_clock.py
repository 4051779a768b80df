from collections.abc import Generator
from functools import partial
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simpy.events import Event

from testbed.network import Clock
from testbed.network.clock import Handle


def test_callbacks_run_in_order_of_time_and_ties_in_order_of_scheduling() -> None:
    clock = Clock()
    log: list[tuple[float, str]] = []

    def record(name: str) -> None:
        log.append((clock.now, name))

    for delay, name in ((2.0, "c"), (1.0, "a"), (2.0, "d"), (1.0, "b"), (0.0, "first")):
        clock.schedule(delay, partial(record, name))
    clock.run()
    assert log == [(0.0, "first"), (1.0, "a"), (1.0, "b"), (2.0, "c"), (2.0, "d")]


def test_a_callback_may_schedule_another_for_the_present() -> None:
    clock = Clock()
    log: list[float] = []

    def again() -> None:
        log.append(clock.now)
        if len(log) < 3:
            clock.schedule(0.0, again)

    clock.schedule(1.5, again)
    clock.run()
    assert log == [1.5, 1.5, 1.5]


def test_step_runs_one_callback_and_says_when_nothing_is_left() -> None:
    clock = Clock()
    log: list[str] = []
    clock.schedule(1.0, lambda: log.append("a"))
    clock.schedule(2.0, lambda: log.append("b"))
    assert clock.peek() == 1.0
    assert clock.step()
    assert log == ["a"]
    assert clock.step()
    assert not clock.step()
    assert clock.peek() == inf
    assert (log, clock.now) == (["a", "b"], 2.0)


def test_run_until_leaves_what_is_due_then_and_stands_there() -> None:
    clock = Clock()
    log: list[float] = []
    for delay in (1.0, 2.0, 3.0):
        clock.schedule(delay, lambda: log.append(clock.now))
    clock.run(until=2.0)
    assert (log, clock.now) == ([1.0], 2.0)
    clock.run(until=2.5)
    assert (log, clock.now) == ([1.0, 2.0], 2.5)
    clock.run()
    assert (log, clock.now) == ([1.0, 2.0, 3.0], 3.0)


def test_a_cancelled_callback_neither_runs_nor_moves_the_clock() -> None:
    clock = Clock()
    log: list[str] = []
    clock.schedule(1.0, lambda: log.append("kept"))
    handle = clock.schedule(5.0, lambda: log.append("cancelled"))
    pending = [handle.pending]
    for _ in range(2):
        handle.cancel()
        pending.append(handle.pending)
    assert pending == [True, False, False]
    clock.run()
    assert (log, clock.now) == (["kept"], 1.0)
    assert not clock.step()


def test_cancelling_what_has_run_changes_nothing() -> None:
    clock = Clock()
    log: list[str] = []
    handle = clock.schedule(1.0, lambda: log.append("ran"))
    clock.run()
    handle.cancel()
    assert not handle.pending
    assert log == ["ran"]
    assert clock.peek() == inf


def test_peek_looks_past_cancelled_callbacks() -> None:
    clock = Clock()
    handle = clock.schedule(1.0, lambda: None)
    clock.schedule(2.0, lambda: None)
    handle.cancel()
    assert clock.peek() == 2.0


def test_cancelled_callbacks_do_not_pile_up() -> None:
    clock = Clock()
    for _ in range(10_000):
        clock.schedule(1000.0, lambda: None).cancel()
    assert len(clock.timeline._queue) < 200


@pytest.mark.parametrize("delay", [-1e-9, inf, nan])
def test_times_that_are_not_in_the_future_are_refused(delay: float) -> None:
    clock = Clock()
    with pytest.raises(ValueError, match="delay"):
        clock.schedule(delay, lambda: None)


@pytest.mark.parametrize("until", [0.5, inf, nan])
def test_running_until_the_past_or_for_ever_is_refused(until: float) -> None:
    clock = Clock()
    clock.run(until=1.0)
    with pytest.raises(ValueError, match="until"):
        clock.run(until=until)


def test_the_clock_cannot_be_set_past_something_that_is_due() -> None:
    clock = Clock()
    clock.schedule(1.0, lambda: None)
    with pytest.raises(ValueError, match=r"event is due at 1\.0"):
        clock.timeline.move_to(2.0)


def test_simpy_processes_share_the_timeline() -> None:
    clock = Clock()
    log: list[tuple[float, str]] = []

    def process() -> Generator[Event, None, None]:
        yield clock.timeline.timeout(1.0)
        log.append((clock.now, "process"))

    clock.timeline.process(process())
    clock.schedule(1.0, lambda: log.append((clock.now, "callback")))
    clock.run()
    assert sorted(log) == [(1.0, "callback"), (1.0, "process")]


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0, 1.5]), st.booleans()), max_size=300),
    st.sampled_from([None, 0.0, 0.75, 1.0]),
)
def test_exactly_the_callbacks_that_were_not_cancelled_run_in_stable_order(
    plan: list[tuple[float, bool]], until: float | None
) -> None:
    clock = Clock()
    ran: list[int] = []
    handles: list[Handle] = [
        clock.schedule(delay, partial(ran.append, number)) for number, (delay, _) in enumerate(plan)
    ]
    for handle, (_, cancelled) in zip(handles, plan, strict=True):
        if cancelled:
            handle.cancel()
    clock.run(until)
    expected = [
        number
        for number in sorted(range(len(plan)), key=lambda number: plan[number][0])
        if not plan[number][1] and (until is None or plan[number][0] < until)
    ]
    assert ran == expected
