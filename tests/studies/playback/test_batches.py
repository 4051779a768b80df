"""Batches that a trial plays, stored for other trials."""

import numpy as np
import pytest

import studies
from policies.batch import Batch
from studies.execution import runner
from studies.spec.document import StudyError
from studies.spec.loading import load
from studies.storage.store import Store

pytestmark = pytest.mark.usefixtures("without_next_steps")


UPDATE = """\
workload: update
environment: {name: navigation, agents: 3, episode_length: 10}
algorithm: {name: matrpo, hidden: [8, 8]}
network: {link: {loss: 0.2}}
consensus: {budget: {activations: 9}}
update: {samples: 40, warmup: 1}
seeds: [7, 8]
"""


def _result(path, folder, *overrides):
    study, store = load(str(path), overrides=overrides), Store(folder)
    store.remember(study)
    runner.perform(runner.Task(study.trials[0], store.folder, {}), lambda *_: None)
    return store.metrics(study.trials[0]), store.table(study.trials[0], "consensus")


def test_an_update_from_a_stored_batch_is_the_one_that_played_it(call, write, tmp_path):
    path, file = write(UPDATE), tmp_path / "batch.npz"
    code, out, err = call("batch", path, "--trial", 2, "--out", file)
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == f"batch:   {file}, 40 samples of 3 agents"
    played, curve = _result(path, tmp_path / "played", "seeds=[8]")
    stored, other = _result(path, tmp_path / "stored", "seeds=[8]", f"update.batch={file}")
    assert curve.equals(other)
    np.testing.assert_equal(stored, played)
    assert stored["heldout_gain"] != stored["surrogate_gain"]
    first = file.read_bytes()
    code, _, err = call("batch", path, "--trial", 2, "--out", file)
    assert (code, err) == (2, f"--out: {file} already exists; choose another name, or add --force\n")
    assert call("batch", path, "--trial", 2, "--out", file, "--force")[0] == 0
    assert file.read_bytes() == first
    made = studies.save_batch(path, tmp_path / "other.npz", trial=1)
    assert (made.samples, made.agents) == (40, 3)
    assert Batch.load(tmp_path / "other.npz").samples == 40
    assert (tmp_path / "other.npz").read_bytes() != first
    with pytest.raises(StudyError, match="already exists; choose another, or pass force=True"):
        studies.save_batch(path, tmp_path / "other.npz")


@pytest.mark.parametrize(
    ("text", "overrides", "file", "message"),
    [
        (
            "workload: problem\nproblem: {name: mean, agents: 4}\n",
            [],
            "b.npz",
            "workload = 'problem': only an `update` study plays a batch",
        ),
        (UPDATE, [], "b.npy", "the name of a batch must end in .npz"),
        (UPDATE, [], "gone/b.npz", "there is no folder gone"),
        (UPDATE, ["algorithm.hidden=[4]", "update.models=MODELS"], "b.npz", "models"),
    ],
)
def test_what_plays_no_batch_is_refused_in_one_line(call, write, tmp_path, text, overrides, file, message):
    (tmp_path / "models.pt").write_bytes(b"none")
    given = [
        word for one in overrides for word in ("--set", one.replace("MODELS", str(tmp_path / "models.pt")))
    ]
    code, out, err = call("batch", write(text), "--out", file, *given)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_a_trial_that_reads_a_batch_plays_none(call, write, tmp_path):
    path, file = write(UPDATE), tmp_path / "batch.npz"
    assert call("batch", path, "--out", file)[0] == 0
    code, _, err = call("batch", path, "--set", f"update.batch={file}", "--out", tmp_path / "b.npz")
    assert (code, err.count("\n")) == (2, 1)
    assert "this trial reads a batch instead of playing one" in err
