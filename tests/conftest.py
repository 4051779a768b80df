"""Hypothesis by `HYPOTHESIS_PROFILE`: `everyday` repeats its examples, `nightly` tries thousands.

No example has a deadline: on a busy machine any of them may be slow.

One arithmetic thread, as trials have: small matrices on many threads are far slower on a busy machine.
"""

import gc
import os

gc.disable()  # until everything is imported and collected: see below

for library in ("OMP", "MKL", "OPENBLAS"):  # read when NumPy and torch are imported, here and in processes
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import pytest  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

os.fsync = lambda _: None  # tests kill processes, but cut no power, and disks take milliseconds each time

settings.register_profile(
    "nightly", max_examples=5000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("everyday", derandomize=True, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "everyday"))


@pytest.hookimpl(wrapper=True)
def pytest_collection(session):
    """Looks for no garbage among modules and tests that are collected: they stay.

    From then on the collector leaves them alone, and looks less often for what tests leave. The process that
    only hands tests to others collects none, and needs no PyTorch.
    """
    if hasattr(session.config, "workerinput") or session.config.getoption("dist", "no") == "no":
        import torch  # takes a while

        torch.set_num_threads(1)
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(20_000, 10, 10)
        gc.enable()


@pytest.fixture(scope="module", autouse=True)
def kept_by_modules():
    """Leaves alone what the tests of a module have left for good, as most is: imports, schemas and caches.

    Otherwise each full collection of a later test would look through all of it, for a third of a second.
    """
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture
def in_this_process(monkeypatch):
    """Lets commands run their trials in this process, which starts none for them."""
    from in_process import InProcess

    from studies.execution import backends

    monkeypatch.setattr(backends, "executor", lambda *_: InProcess())
