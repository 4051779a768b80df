"""Studies choose an algorithm by name, for every workload it can do."""

import numpy as np
import pytest

import topologies
from testbed import workloads
from testbed.common import checkpoints
from testbed.consensus.traits import ALGORITHMS, averaging
from testbed.workloads import ProblemWorkload, TrainingWorkload, UpdateWorkload, make_trainer

LOSSY = {"link": {"delay": "5ms", "loss": 0.2}}
SMALL = {"hidden": [16]}


@pytest.mark.parametrize("algorithm", ALGORITHMS.builtin())
def test_a_problem_can_be_solved_by_each(algorithm):
    # Of constant steps a small one: the error of DGD is in proportion to it.
    consensus = {"algorithm": algorithm, "budget": {"activations": 160}, "step": 0.1}
    trial = ProblemWorkload.model_validate({"network": LOSSY, "consensus": consensus})
    result = workloads.run(trial, seed=1, graph=topologies.make("ring", 8))
    curve = result.curves["consensus"]
    assert result.metrics["error"] < 0.5 * curve[0]["error"] + 0.3
    assert set(curve[0]) == {
        "activations", "exchanges", "seconds", "bytes", "disagreement", "relative_disagreement",
        "primal_residual", "message_age", "message_age_max", "error",
    }  # fmt: skip


@pytest.mark.parametrize("activation", ["synchronous", "asynchronous", "gossip"])
def test_policies_learn_by_relaxed_admm_and_go_on_exactly_from_a_checkpoint(activation, tmp_path):
    consensus = {"algorithm": "relaxed_admm", "activation": activation, "codec": "int8", "subset": 0.5}
    trial = TrainingWorkload.model_validate(
        {"algorithm": SMALL, "network": LOSSY, "consensus": consensus | {"budget": {"activations": 12}}}
        | {"training": {"updates": 2, "samples": 300}}
    )

    def trainer():
        return make_trainer(trial, seed=0, graph=topologies.make("ring", 3))

    def without_wall(row):
        return {name: value for name, value in row.items() if not name.startswith("wall_")}

    through, again = trainer(), trainer()
    through.advance()
    checkpoints.save(tmp_path / "checkpoint", through.state_dict(), "x")
    again.load_state_dict(checkpoints.load(tmp_path / "checkpoint", "x"))
    expected, found = without_wall(through.advance()), without_wall(again.advance())
    assert expected["activations"] == 12
    np.testing.assert_equal(found, expected)


def test_an_update_can_use_it():
    trial = UpdateWorkload.model_validate(
        {"algorithm": SMALL, "consensus": {"algorithm": "relaxed_admm", "budget": {"activations": 30}}}
        | {"update": {"samples": 300}}
    )
    result = workloads.run(trial, seed=0, graph=topologies.make("ring", 3))
    assert result.metrics["exchanges"] == 60


@pytest.mark.parametrize("algorithm", averaging())
def test_averaging_is_refused_for_all_but_the_mean(algorithm):
    chosen = {"consensus": {"algorithm": algorithm}}
    for workload, what in ((UpdateWorkload, "policies"), (TrainingWorkload, "policies")):
        with pytest.raises(ValueError, match=f"'{algorithm}' solves only the mean problem, not {what}"):
            workload.model_validate(chosen)
    with pytest.raises(ValueError, match="not problem lasso: choose edge_admm or relaxed_admm"):
        ProblemWorkload.model_validate(chosen | {"problem": {"name": "lasso"}})
