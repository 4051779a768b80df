"""Curves for TensorBoard, read back by TensorBoard itself."""

from importlib import util

import pytest

from studies.execution import runner, tensorboard
from studies.spec.loading import load
from studies.storage.store import Store

TRAINING = """\
workload: training
environment: {name: navigation, agents: 3}
algorithm: {name: itrpo, hidden: [8]}
network: {link: {rate: 10mbit}}
training: {updates: 4, samples: 200}
vary: {way: {"a/b: 60 % lost": {network.link.loss: 0.6}}}
"""


class Stopped(Exception):
    pass


def test_a_run_has_its_curves_once_even_if_it_was_stopped_and_resumed(write, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    study, store = load(str(write(TRAINING))), Store(tmp_path / "out")
    task = runner.Task(study.trials[0], store.folder, {}, tensorboard=True)

    def stop(phase, done, total, latest):
        if done == 2:
            raise Stopped

    with pytest.raises(Stopped):
        runner.perform(task, stop)
    runner.perform(task, lambda *_: None)
    (folder,) = (store.folder / "tensorboard").iterdir()
    assert folder.name == f"way=a_b_ 60 % lost seed=0 {study.trials[0].hash}"
    read = EventAccumulator(str(folder))
    read.Reload()
    events = read.Scalars("training/return")
    curve = store.curve(study, "training")
    assert [event.step for event in events] == [1, 2, 3, 4]
    assert [event.value for event in events] == pytest.approx(list(curve["return"]), rel=1e-6)
    agents, links = store.curve(study, "agents"), store.curve(study, "links")
    for agent, each in agents.groupby("agent"):
        for name in ("return", "kl", "kl_played", "entropy"):
            events = read.Scalars(f"agents/{name}/{int(agent)}")
            assert [event.step for event in events] == [1, 2, 3, 4]
            assert [event.value for event in events] == pytest.approx(list(each[name]), rel=1e-6)
    tags = {tag for tag in read.Tags()["scalars"] if tag.startswith("links/")}
    assert tags == {
        f"links/{name}/{int(row.source)}-{int(row.destination)}"
        for name in ("dropped", "utilisation")
        for row in links.itertuples()
    }


def test_without_the_extra_it_is_one_line(call, write, monkeypatch):
    monkeypatch.setattr(
        tensorboard, "find_spec", lambda name: None if name == "tensorboard" else util.find_spec(name)
    )
    code, out, err = call("run", write(), "--tensorboard")
    assert (code, out) == (2, "")
    assert err == "--tensorboard: needs the extra: pip install 'consensus-testbed[tensorboard]'\n"
