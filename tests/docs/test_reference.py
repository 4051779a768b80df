"""The reference is what the code says, all of it; and every link of the documentation leads somewhere."""

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

import studies
import topologies
from studies.columns import COLUMNS
from studies.docgen import pages
from studies.docgen.settings import KINDS, Documented
from testbed import environments, workloads
from testbed.consensus.traits import ALGORITHMS
from testbed.training.learners import LEARNERS

ROOT = Path(__file__).parents[2]
PAGES = pages.pages()
NETWORK = {
    "link": {"rate": "1mbit", "delay": "5ms"},
    "faults": [{"link": "all", "mtbf": "1s", "mttr": "1s"}],
    "schedule": {"name": "random_waypoint", "period": "1s", "range": 0.5},
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_code_says(name):
    assert (ROOT / "docs" / "reference" / name).read_text() == PAGES[name], "run `make reference`"


def test_there_are_no_other_pages(tmp_path):
    assert {path.name for path in (ROOT / "docs" / "reference").iterdir()} == set(PAGES)
    (tmp_path / "gone.md").touch()
    pages.write(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == PAGES


def test_every_setting_says_what_it_means():
    documented = Documented({})
    tables = {name: documented.own(name) for name in documented.workloads}
    tables |= {section.heading: section.schema["properties"] for section in documented.sections.values()}
    tables["study"] = documented.header
    silent = [
        f"{where}: {name}"
        for where, properties in tables.items()
        for name, schema in properties.items()
        if not schema.get("description") and not (name in KINDS and "const" in schema)
    ]
    assert not silent


def test_everything_that_has_a_name_is_there():
    for page, names in (
        ("environments.md", environments.NAMES),
        ("algorithms.md", (*LEARNERS.builtin(), *ALGORITHMS.builtin())),
        ("topologies.md", topologies.FAMILIES),
    ):
        for name in names:
            assert re.search(rf"\b{name}\b", PAGES[page]), name


@pytest.mark.parametrize("algorithm", [None, *LEARNERS.builtin()])
def test_every_column_of_a_result_is_explained(algorithm):
    study = {"workload": "problem", "topology": "complete", "problem": {"name": "mean"}, "network": NETWORK}
    if algorithm is not None:
        study = {
            "workload": "training",
            "environment": {"episode_length": 20},
            "algorithm": {"name": algorithm, "hidden": [8]},
            "training": {"updates": 1, "samples": 60, "evaluation": {"every": 1, "episodes": 2}},
        }
    if algorithm == "matrpo":
        study |= {"workload": "update", "update": {"samples": 60}}
        study["algorithm"]["solver"] = {"audit": True}
        del study["training"]
    (trial,) = studies.define(study, overrides=["consensus.budget.activations=5"]).trials
    result = workloads.run(trial.settings, seed=0, graph=trial.graph())
    columns = {
        *result.metrics,
        *(name for rows in result.curves.values() for row in rows[:1] for name in row),
    }
    known = [each.name for each in COLUMNS]
    # Wall times are kept apart from the tables.
    unknown = [
        name
        for name in columns
        if not name.startswith("wall_") and not any(fnmatch(name, each) for each in known)
    ]
    assert not unknown


def _anchors(page: Path) -> set[str]:
    """Where GitHub puts the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "CONTRIBUTING.md",
        *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").rglob("*.md"))),
    ],
)
def test_every_link_leads_somewhere(page):
    page = ROOT / page
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        assert place.exists(), target
        assert not anchor or anchor in _anchors(place), target
