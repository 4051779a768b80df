"""Trials on a real Ray cluster of two nodes, of which one is killed."""

import os
import re
import signal
import socket
import sys
from contextlib import closing, suppress
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import fake_tasks
import fake_trials
import pytest
from page_blocks import blocks
from rich.console import Console

from studies.execution import runner
from studies.execution.executor import ONE_THREAD, Failed, Finished, Held, Progressed, Retried, Started
from studies.figures import draw
from studies.spec.document import StudyError
from studies.spec.loading import load
from studies.storage.store import Store

ray = pytest.importorskip("ray")

from ray.cluster_utils import Cluster  # noqa: E402

from studies.execution.ray import worker  # noqa: E402
from studies.execution.ray.cluster import OBJECTS, connected, differing, find  # noqa: E402
from studies.execution.ray.executor import RayExecutor, lost  # noqa: E402

TUTORIAL = Path(__file__).parents[4] / "docs" / "tutorials" / "scale-to-a-cluster.md"
NODE = {"num_cpus": 1, "object_store_memory": OBJECTS}

TRAINING = """\
workload: training
environment: {name: navigation, agents: 3}
training: {updates: 3, samples: 30}
consensus: {penalty: 1, budget: {activations: 4}}
seeds: 2
"""


@pytest.fixture(scope="module")
def cluster():
    """A head and another node, with one processor each; it notices soon that a node is gone."""
    with pytest.MonkeyPatch.context() as patch, socket.create_server(("127.0.0.1", 0)) as free:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        for name in ("RAY_ADDRESS", *ONE_THREAD):  # workers must have the latter from who runs trials
            patch.delenv(name, raising=False)
        health = {"initial_delay_ms": 0, "period_ms": 500, "timeout_ms": 500, "failure_threshold": 3}
        port = free.getsockname()[1]
        free.close()
        cluster = Cluster(
            initialize_head=True,
            head_node_args={
                **NODE,
                "num_gpus": 2,  # Ray believes it
                "include_dashboard": False,
                "include_log_monitor": False,
                "ray_client_server_port": port,
                "_system_config": {f"health_check_{name}": value for name, value in health.items()},
            },
        )
        cluster.client_address = f"ray://127.0.0.1:{port}"  # type: ignore[attr-defined]
        cluster.add_node(**NODE)
        yield cluster
        cluster.shutdown()


@pytest.fixture
def fakes():
    """The stand-ins under names that workers can import."""
    return SimpleNamespace(
        note_gpus=fake_tasks.note_gpus,
        sleep=fake_tasks.sleep,
        raise_die_or_sleep=fake_tasks.raise_die_or_sleep,
        train_and_wait=fake_trials.train_and_wait,
    )


def run(study, store, executor):
    text = StringIO()
    outcome = runner.run(study, store, executor=executor, console=Console(file=text, width=200))
    return outcome, text.getvalue()


def run_here(study, store):
    for trial in study.trials:
        runner.perform(runner.Task(trial, store.folder, {}), lambda *_: None)


def tables(store):
    """Every table of finished trials and their summary, as bytes."""
    return {path.relative_to(store.folder): path.read_bytes() for path in store.folder.rglob("*.parquet")}


class Meanwhile:
    """An executor with which something is done after each event."""

    def __init__(self, executor, act):
        self.executor = executor
        self.act = act

    def run(self, tasks):
        for event in self.executor.run(tasks):
            yield event
            self.act(event)


def test_a_trial_whose_node_is_killed_goes_on_from_its_checkpoint(cluster, fakes, write, tmp_path):
    study, store, local = load(str(write(TRAINING))), Store(tmp_path / "ray"), Store(tmp_path / "local")
    (killed,) = cluster.worker_nodes
    waiting = set()

    def updates():
        return [line.split() for line in (tmp_path / "updates.txt").read_text().splitlines()]

    def kill(event):
        if isinstance(event, Progressed) and event.done == 2:
            waiting.add(event.index)
            if len(waiting) == 2 and cluster.worker_nodes:
                (process,) = {int(process) for *_, node, process in updates() if node == killed.node_id}
                cluster.remove_node(killed, allow_graceful=False)
                with suppress(ProcessLookupError):  # it would end by itself, a little later than its machine
                    os.kill(process, signal.SIGKILL)
                (tmp_path / "go").touch()

    executor = RayExecutor(cluster.address, None, fakes.train_and_wait, store.folder)
    outcome, shown = run(study, store, Meanwhile(executor, kill))
    assert outcome == runner.Outcome(run=2, kept=0, failed=())
    made = {trial.hash: [] for trial in study.trials}
    for trial, done, node, _ in updates():
        made[trial].append((int(done), node == killed.node_id))
    # The third update follows from the second, which another node has made; neither was made again.
    assert sorted(made.values()) == [
        [(1, False), (2, False), (3, False)],
        [(1, True), (2, True), (3, False)],
    ]
    assert shown.count("retried   ") == 1
    assert " was lost" in shown
    run_here(study, local)
    store.summarise(study)
    local.summarise(study)
    assert len(tables(store)) == 2 * 6 + 1
    assert tables(store) == tables(local)


def test_the_tutorial_of_clusters_gives_the_same_tables_as_here(cluster, call, write, tmp_path, monkeypatch):
    monkeypatch.setitem(draw.PLANS, "problem", ())
    (text,) = (block.text for block in blocks(TUTORIAL) if block.language == "yaml")
    commands = re.findall(r"^testbed (.*)$", TUTORIAL.read_text(), re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["run", "status", "table"]
    file = write(text, "grid.yaml")
    for command in commands:
        words = command.replace("127.0.0.1:6399", cluster.address).replace("grid.yaml", str(file)).split()
        code, out, err = call(*words)
        assert (code, err) == (0, "")
        if words[0] == "run":
            assert cluster.address in words
            assert out.count("finished  ") == 8
        if words[0] == "table":
            (shown,) = (block.text for block in blocks(TUTORIAL) if block.language == "text")
            assert shown in out
    study, store, local = load(str(file)), Store(Path("runs/grid")), Store(tmp_path / "local")
    run_here(study, local)
    local.summarise(study)
    assert len(tables(store)) == 8 * 4 + 1  # metrics, a curve, links and traffic of each, and the summary
    assert tables(store) == tables(local)
    assert not list(store.folder.glob(".shared*"))


def test_a_cluster_that_does_not_answer_is_one_line_and_exit_code_2(call):
    code, _, err = call("run", "topologies", "--on", "127.0.0.1:1")
    assert code == 2
    assert err.startswith("--on 127.0.0.1:1: nothing answers there: ")
    assert err.count("\n") == 1
    assert list(Path.cwd().iterdir()) == []


def test_tasks_that_raise_or_die_fail_and_closing_stops_what_runs(cluster, fakes, tmp_path, monkeypatch):
    more_than_any_node_has = 2**60
    executor = RayExecutor(
        cluster.client_address,
        1,
        fakes.raise_die_or_sleep,
        tmp_path,
        memory=lambda task: more_than_any_node_has,
    )
    with closing(executor.run(["raise", "die", tmp_path / "running", tmp_path / "waiting"])) as events:
        with monkeypatch.context() as impatient:
            impatient.setattr("studies.execution.ray.executor.PATIENCE", 0.0)
            impatient.setattr("studies.execution.ray.executor.LOOK_AGAIN", 0.0)
            assert next(events) == Held("no trial has run for 0 s: does the cluster have room for one?")
        assert next(events) == Started(0)
        raised = next(events)
        assert (type(raised), raised.index) == (Failed, 0)
        assert raised.trace.startswith("Traceback")
        assert raised.trace.endswith("ValueError: threads 1 1 1\n")
        assert next(events) == Started(1)
        died = next(events)
        assert (type(died), died.index) == (Failed, 1)
        assert "ended by itself" in died.trace
        assert next(events) == Started(2)
        assert next(events) == Progressed(2, "sleeping", 1, 2, {})
        process = int((tmp_path / "running").read_text())
        os.kill(process, 0)  # it is there
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["running"]
    assert not ray.is_initialized()
    assert find(cluster.address) == cluster.address


def test_a_task_with_a_gpu_has_one_for_itself(cluster, fakes, tmp_path):
    tasks = [tmp_path / "one", tmp_path / "none"]
    executor = RayExecutor(
        cluster.address, 1, fakes.note_gpus, tmp_path, gpus=lambda task: int(task.name == "one")
    )
    assert [event for event in executor.run(tasks) if isinstance(event, Failed)] == []
    seen = [task.read_text() for task in tasks]
    assert seen[0] in ("0", "1")
    assert seen[1] not in ("0", "1")


def test_a_trial_that_no_node_has_a_gpu_for_is_held(cluster, fakes, tmp_path, monkeypatch):
    monkeypatch.setattr("studies.execution.ray.executor.PATIENCE", 0.0)
    executor = RayExecutor(cluster.address, 1, fakes.note_gpus, tmp_path, gpus=lambda task: 3)
    with closing(executor.run([tmp_path / "three"])) as events:
        line = "no trial has run for 0 s: does the cluster have room and a GPU for one?"
        assert next(events) == Held(line)


@pytest.mark.skipif(sys.platform != "linux", reason="a path that means something else to each process")
def test_results_must_go_to_a_folder_that_all_nodes_share(cluster, fakes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    executor = RayExecutor(cluster.address, None, fakes.sleep, Path("/proc/self/cwd/out"))
    with pytest.raises(StudyError, match=r"node .* does not see --out /proc/self/cwd/out: it must be"):
        list(executor.run([0.0]))
    assert list(Path("out").iterdir()) == []


def test_a_cluster_of_our_own_hears_this_machine_alone_and_ends(monkeypatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # or Ray would write a file in the home of who tests this
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with connected(None, 3):
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
            assert ray.cluster_resources()["CPU"] == 3
            assert ray.get(ray.remote(os.getenv).remote("MKL_NUM_THREADS")) == "1"
            host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
            socket.create_connection((host, int(port))).close()
            with pytest.raises(ConnectionRefusedError):  # what listens to all interfaces listens here too
                socket.create_connection(("127.0.0.2", int(port)), 5.0)
    finally:
        signal.signal(signal.SIGTERM, before)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), 5.0)


def test_a_cluster_that_runs_is_found(cluster, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert find(None) == cluster.address
    monkeypatch.setenv("RAY_ADDRESS", cluster.client_address)
    assert find(None) == cluster.client_address
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(StudyError, match=r"RAY_ADDRESS=127\.0\.0\.1:1: nothing answers there: "):
        find(None)


def test_a_node_may_be_lost_three_times_and_must_have_the_same_code():
    assert lost(7, "10.0.0.1", 3) == Retried(7, "node 10.0.0.1 was lost")
    assert lost(7, "10.0.0.1", 4) == Failed(
        7, "the trial has lost its node 4 times, most recently 10.0.0.1\n"
    )
    ours = {"platform": "a", "torch": "2.13.0", "commit": "abc"}
    assert differing(ours, {**ours, "platform": "b"}) == ""
    other = differing(ours, {"torch": "2.6.0"})
    assert other == "torch 2.6.0 (here 2.13.0), commit unknown (here abc)"


def boxed(news):
    return SimpleNamespace(put=SimpleNamespace(remote=news))


def test_a_node_that_joins_late_without_the_folder_runs_no_trial(tmp_path):
    said = []
    token = worker.Token(tmp_path / "gone", "text")
    unsent, ended = worker.carry_out(None, 5, 0, None, token, boxed(said.append))
    assert (unsent, [event for *_, event in said]) == (None, [Started(5)])
    assert isinstance(ended, Failed)
    assert f"does not see the folder {tmp_path}" in ended.trace


def test_a_trial_does_not_mind_where_its_reports_go(tmp_path):
    def lose(news):
        raise ray.exceptions.RayActorError

    def report_often(task, report):
        for done in range(9):
            report("counting", done, 9, {})

    token = worker.Token(tmp_path / "here", "text")
    token.path.write_text("text")
    assert worker.carry_out(report_often, 5, 0, None, token, boxed(lose)) == (
        Progressed(5, "counting", 8, 9, {}),
        Finished(5),
    )
    said = []
    worker.carry_out(report_often, 5, 0, None, token, boxed(said.append))
    assert [event for *_, event in said] == [Started(5), Progressed(5, "counting", 0, 9, {})]
