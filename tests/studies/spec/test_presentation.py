"""The keys `reach` and `figures`: what they take, and that they name no trial."""

import jsonschema
import pytest

from studies import columns
from studies.figures.catalogue import PLANS
from studies.spec.document import StudyError
from studies.spec.json_schema import study_schema
from studies.spec.loading import define
from studies.spec.presentation import Threshold, parse_reach, stored_figures, stored_reach

WORKLOADS = ("problem", "update", "training")

BASE = {
    "workload": "problem",
    "problem": {"name": "mean", "agents": 4},
    "vary": {"topology": ["ring", "star"]},
}
REACH = {"error": [1e-1, 0.01], "message_age": {"at_most": [1]}, "disagreement": 0.1}
FIGURES = [
    {"name": "a", "x": "bytes", "y": "error", "hue": "topology", "format": "pdf"},
    {"name": "b", "kind": "heatmap", "x": "seed", "y": "topology", "hue": "error", "format": ["png", "svg"]},
]
VALIDATOR = jsonschema.Draft202012Validator(study_schema())


def test_they_change_no_name_of_a_trial():
    shown = {**BASE, "reach": REACH, "figures": FIGURES}
    VALIDATOR.validate(shown)
    one, other = (define(study, name="s") for study in (BASE, shown))
    assert [trial.hash for trial in one.trials] == [trial.hash for trial in other.trials]
    assert len(stored_figures(other.document, "s", other.varied)) == 2
    assert stored_reach(other.document, "s") == [
        Threshold("error", 0.1, False),
        Threshold("error", 0.01, False),
        Threshold("message_age", 1, False),
        Threshold("disagreement", 0.1, False),
    ]


FIGURE = {"name": "a", "x": "bytes", "y": "error"}


@pytest.mark.parametrize(
    ("wrong", "message", "in_schema"),
    [
        ({"reach": {"eror": [1]}}, "reach.eror: no such column of the curves; did you mean 'error'?", False),
        ({"reach": {"error": "x"}}, "reach.error = 'x': must be a threshold, a list of them", True),
        ({"reach": {"error": ["x"]}}, "reach.error.0 = 'x': must be a number", True),
        ({"reach": {"error": []}}, "reach.error: must have at least one threshold", True),
        ({"reach": {"error": [1, 1.0]}}, "reach.error: has the same threshold twice", False),
        ({"reach": {"error": [float("nan")]}}, "reach.error.0 = nan: must be a finite number", False),
        ({"reach": {"message_age": [1]}}, "reach.message_age: has no direction of improvement: write", False),
        (
            {"reach": {"error": {"at_mst": [1]}}},
            "reach.error.at_mst: unknown key; did you mean 'at_most'?",
            True,
        ),
        ({"figures": [{**FIGURE, "y": "eror"}]}, "figures.0.y = 'eror': must be a column of numbers", False),
        ({"figures": [{**FIGURE, "x": "toplogy"}]}, "a varied setting; did you mean 'topology'?", False),
        ({"figures": [{**FIGURE, "hue": "error"}]}, "figures.0.hue = 'error': must be what the study", False),
        ({"figures": [{**FIGURE, "name": "a/b"}]}, "figures.0.name = 'a/b': must be a file name", False),
        ({"figures": [{**FIGURE, "format": "jpg"}]}, "= 'jpg': must be 'png', 'svg' or 'pdf'", True),
        ({"figures": [{**FIGURE, "format": []}]}, "must name at least one of png, svg, pdf", False),
        ({"figures": [{**FIGURE, "colour": "x"}]}, "figures.0.colour: unknown key", True),
        ({"figures": [FIGURE, FIGURE]}, "figures.1.name = 'a': another figure has this name", False),
        ({"figures": [{**FIGURE, "kind": "heatmap"}]}, "figures.0: a heat map needs hue", False),
        ({"figures": [{"name": "a", "x": "bytes"}]}, "figures.0.y: missing", True),
        (
            {"figures": [{**FIGURE, "y": "return"}]},
            "= 'return': is measured by workload training",
            False,
        ),
        ({"figures": [{**FIGURE, "x": "return_x"}]}, "figures.0.x = 'return_x': is measured by work", False),
        (
            {"figures": [{**FIGURE, "y": "kl"}]},
            "by workload update and training, not by problem",
            False,
        ),
        ({"reach": {"return": [1]}}, "reach.return: is measured by workload training, not by problem", False),
        ({"vary": {"reach.error": [1]}}, "reach belongs to the whole study and cannot be varied", False),
        ({"vary": {"threshold": {"a": {}}}}, "'threshold' is a column of the results", False),
    ],
)
def test_errors_are_one_line_with_the_field(wrong, message, in_schema):
    with pytest.raises(StudyError) as caught:
        define({**BASE, **wrong}, name="s")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    if in_schema:
        assert not VALIDATOR.is_valid({**BASE, **wrong})


def test_every_column_that_a_workload_is_not_said_to_measure_is_measured_by_another():
    for name in columns.measured():
        assert any(columns.is_measured(name, workload) for workload in WORKLOADS)
    assert columns.is_measured("return_of_ones_own", "training")
    assert not columns.is_measured("return_of_ones_own", "problem")
    assert columns.is_measured("bytes_sent", "problem")


@pytest.mark.parametrize("workload", WORKLOADS)
def test_columns_of_standard_figures_are_those_of_their_workload(workload):
    for plan in PLANS[workload]:
        for name in (getattr(plan, "x", None), getattr(plan, "y", None)):
            assert not isinstance(name, str) or columns.is_measured(name, workload)


def test_stored_figures_of_another_workload_are_still_read():
    document = {"figures": [{**FIGURE, "y": "return"}]}
    assert stored_figures(document, "out/study.json", []) != ()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("error=0.1,1e-2", [("error", 0.1, False), ("error", 0.01, False)]),
        ("return>=-60", [("return", -60, True)]),
        ("return=-60", [("return", -60, True)]),
        (" message_age <= 1", [("message_age", 1, False)]),
    ],
)
def test_thresholds_on_the_command_line(text, found):
    assert parse_reach(text, "--reach") == [Threshold(*each) for each in found]


@pytest.mark.parametrize(
    "text", ["error", "error=a", "=1", "error=", "error=nan", "eror=1", "kl=1", "error\n=1,x"]
)
def test_wrong_thresholds_on_the_command_line_are_one_line(text):
    with pytest.raises(StudyError, match=r"^--reach") as caught:
        parse_reach(text, "--reach")
    assert "\n" not in str(caught.value)


def test_a_stored_study_with_wrong_thresholds_is_refused_in_one_line():
    for wrong in ({"reach": 3}, {"reach": {"eror": [1]}}, {"reach": {"message_age": [1]}}):
        with pytest.raises(StudyError, match=r"^out/study.json: reach"):
            stored_reach(wrong, "out/study.json")
    with pytest.raises(StudyError, match=r"^out/study.json: figures.0.hue"):
        stored_figures({"figures": [{**FIGURE, "hue": "error"}]}, "out/study.json", ["topology"])
