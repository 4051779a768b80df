"""The finding of a study."""

from dataclasses import replace

import pandas as pd
import pytest

from studies.analysis.finding import findings
from studies.spec.loading import define


def study(vary, workload="problem"):
    own = {"problem": {"problem": {"name": "mean", "agents": 4}}, "training": {}}[workload]
    return define({"workload": workload, **own, "vary": vary, "seeds": 2}, name="it")


def summary(plan, metric, values):
    """A row per trial; ``values`` by condition and seed."""
    rows = [
        {"trial": trial.hash, "seed": trial.seed, **trial.varied, metric: value}
        for trial, value in zip(plan.trials, values, strict=True)
    ]
    return pd.DataFrame(rows)


def test_the_conditions_are_in_order_best_first():
    plan = study({"topology": ["ring", "star"]}, "training")
    (line,) = findings(plan, summary(plan, "return", [-60.0, -50.0, -43.0, -41.0]))
    assert line == (
        "team return per episode: -42 (-43, -41) with star; -55 (-60, -50) with ring"
        " (mean of 2 seeds and their range; too few to conclude)"
    )


def test_of_a_distance_the_smallest_is_best_and_numbers_have_the_title_of_their_setting():
    plan = study({"network.link.loss": [0, 0.5]})
    (line,) = findings(plan, summary(plan, "error", [0.1, 0.1, 0.01, 0.01]))
    assert "0.01 with message loss (probability) 0.5; 0.1 with message loss (probability) 0" in line


@pytest.mark.parametrize(("first", "second"), [("1", "none"), ("1ms", "0.5 s"), ("True", "-1e-3")])
def test_numbers_between_texts_have_the_title_of_their_setting_too(first, second):
    plan = study({"network.link.delay": ["1ms", "500ms"]})
    rows = summary(plan, "error", [0.1, 0.1, 0.01, 0.01])
    rows["network.link.delay"] = [first, first, second, second]
    (line,) = findings(plan, rows)
    assert f"0.01 with link delay {second}; 0.1 with link delay {first}" in line


def test_of_many_conditions_the_best_and_the_worst_are_told():
    plan = study({"network.link.loss": [0, 0.1, 0.2], "topology": ["ring", "star"]})
    values = [value for error in (3, 4, 1, 5, 2, 6) for value in (error, error)]
    (line,) = findings(plan, summary(plan, "error", map(float, values)))
    best = "best 1 with message loss (probability) 0.1, ring"
    assert f"{best}, worst 6 with message loss (probability) 0.2, star, of 6 conditions" in line


def test_environments_are_not_compared():
    vary = {"task": {"three": {"environment.agents": 3}, "six": {"environment.agents": 6}}}
    plan = study({**vary, "topology": ["ring", "path"]}, "training")
    three, six = findings(plan, summary(plan, "return", [-1.0, -1.0, -2.0, -2.0, -30.0, -30.0, -20.0, -20.0]))
    assert three.startswith("three: team return per episode: -1 with ring; -2 with path (")
    assert six.startswith("six: team return per episode: -20 with path; -30 with ring (")


@pytest.mark.parametrize("values", [[], [0.1, 0.2], [0.1, 0.2, float("nan"), float("nan")]])
def test_one_condition_alone_is_no_finding(values):
    plan = study({"topology": ["ring", "star"]})
    some = replace(plan, trials=plan.trials[: len(values)])
    assert findings(plan, summary(some, "error", values)) == []
