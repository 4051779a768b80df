"""What a study needs of the machine, and what would make it faster there."""

import pytest
from typer.testing import CliRunner

from policies.nn import precision
from studies.api import define
from studies.cli.main import app
from studies.execution import requirements

IN_BFLOAT16 = {
    "question": "Is it fast?",
    "workload": "training",
    "environment": {"name": "navigation"},
    "topology": "ring",
    "algorithm": {"name": "matrpo", "precision": "bfloat16-matmul"},
}


def test_a_product_s_cost_is_measured():
    assert 0 < precision.bfloat16_cost() < 1e4


@pytest.mark.parametrize(("cost", "said"), [(0.5, False), (1.5, False), (20.4, True)])
def test_products_that_are_slow_on_this_processor_are_told_with_what_to_write_instead(
    monkeypatch, cost, said
):
    monkeypatch.setattr(requirements, "bfloat16_cost", lambda: cost)
    lines = requirements.advice(define(IN_BFLOAT16))
    assert len(lines) == said
    if said:
        assert "20 times as long" in lines[0]
        assert "--set algorithm.precision=float32" in lines[0]


def test_other_precisions_and_devices_are_not_told_of_it(monkeypatch):
    monkeypatch.setattr(requirements, "bfloat16_cost", lambda: 20.0)
    for changed in ({"precision": "float32"}, {"device": "cuda"}, {"name": "mappo", "precision": "float64"}):
        algorithm = {"name": "matrpo", "precision": "bfloat16-matmul"} | changed
        if "cuda" in changed.values():
            monkeypatch.setattr(requirements, "check", lambda study: None)
        assert requirements.advice(define(IN_BFLOAT16 | {"algorithm": algorithm})) == []


def test_validate_warns_and_the_study_is_still_right(monkeypatch):
    monkeypatch.setattr(requirements, "bfloat16_cost", lambda: 20.0)
    answer = CliRunner().invoke(app, ["validate", "combat-penalty"])
    assert answer.exit_code == 0
    assert "warning: algorithm.precision = 'bfloat16-matmul'" in answer.output
