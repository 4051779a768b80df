"""The README and the pages that it leads to work as written, and their numbers are those of results."""

import re
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from studies.analysis.finding import findings
from studies.cli.main import main
from studies.formatting import quantity
from studies.spec.loading import load

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = ROOT / "docs"
NAMES = (
    *("running-studies", "networks", "links-that-follow-a-trace"),
    *("results-folder", "environments", "learners"),
)
PAGES = (README, *(DOCS / f"{name}.md" for name in NAMES))
"""The README, and the pages that were parts of it."""

SCREEN = 25
"""Lines of the README that a reader sees first."""


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


SHOWN = {f"{page.stem} {number}": text for page in PAGES for number, text in enumerate(blocks(page, "yaml"))}


@pytest.mark.parametrize("name", SHOWN)
def test_the_study_files_are_valid(name, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    double = Path(__file__).parent / "testbed" / "environments" / "doubles" / "smac"
    python = tmp_path / "smac-venv" / "bin" / "python"  # that an example names
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{double}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    page = next(page for page in PAGES if page.stem == name.partition(" ")[0])
    for file, rows in re.findall(
        r"Save this as `([\w.]+)`:\n\n```csv\n(.*?)```", page.read_text(), re.DOTALL
    ):
        (tmp_path / file).write_text(rows)
    path = tmp_path / "my.yaml"
    path.write_text(SHOWN[name])
    with pytest.raises(SystemExit) as ended:
        main(["validate", str(path)])
    assert ended.value.code in (0, None), capsys.readouterr().err


def test_every_page_with_study_files_is_among_them():
    pages = {page for page in DOCS.glob("*.md") if re.search(r"^workload: ", page.read_text(), re.MULTILINE)}
    assert pages <= set(PAGES)
    assert len(SHOWN) >= 6


def test_the_python_examples_run(capsys, monkeypatch, tmp_path, in_this_process):
    studies, parts = blocks(DOCS / "python.md", "python")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(compile(studies, "python.md", "exec"), names)  # noqa: S102 - our own page
    assert len(names["results"].summary) == len(names["study"].trials)
    plt.close("all")
    capsys.readouterr()
    exec(compile(parts, "python.md", "exec"), {})  # noqa: S102
    error, events = capsys.readouterr().out.split()
    assert float(error) < 1e-4
    assert int(events) > 2000


@pytest.mark.parametrize("page", [README, *sorted(DOCS.glob("*.md"))], ids=lambda page: page.stem)
def test_every_figure_it_shows_is_there(page):
    for path in re.findall(r"!\[.*?\]\((.*?)\)", page.read_text()):
        assert (page.parent / path).is_file(), path


def test_it_is_short():
    assert len(README.read_text().splitlines()) <= 120


def test_its_first_screen_says_what_was_found_with_the_numbers_of_the_results():
    summary = pd.read_csv(ROOT / "studies" / "results" / "demo" / "summary.csv")
    column = "network between the agents"
    trials = {trial.hash: trial for trial in load("demo").trials}
    assert set(summary["trial"]) == set(trials), "the committed results are those of studies/demo.yaml"
    screen = " ".join(README.read_text().splitlines()[:SCREEN])
    for network, mean in summary.groupby(column)["return"].mean().items():
        assert re.search(rf"{re.escape(quantity(round(mean)))} (with|over|if) [^,;]*{network}", screen), (
            network
        )
    by_seed = summary.pivot(index="seed", columns=column, values="return")
    ring = by_seed.pop("a perfect ring")
    for other in by_seed:
        assert (ring > by_seed[other] + 3).all(), "nobody can miss the difference, in any seed"
    (line,) = findings(load("demo"), summary)
    assert line in (ROOT / "studies" / "results" / "demo" / "README.md").read_text()


def late_returns(folder):
    """The mean team return of updates 21 to 30, by seed and condition."""
    curves = pd.read_csv(ROOT / "studies" / "results" / folder / "curves.csv")
    return curves[curves["update"] > 20].groupby(["condition", "seed"])["return"].mean().unstack("condition")


def test_its_first_screen_says_what_was_found_in_combat_with_the_numbers_of_the_results():
    late = late_returns("combat-network")
    screen = " ".join(README.read_text().splitlines()[:SCREEN])
    for network, words in (("ring", "over a perfect ring"), ("no network", "with no network")):
        assert late[network].count() == 5
        assert re.search(rf"{late[network].mean():.1f},? {words}", screen), network
    assert "only half of that" in screen
    assert "paired difference 5.3 to 6.3" in screen
    gained = late["ring"] - late["no network"]
    assert ((gained > 5.0) & (gained < 6.6)).all(), "half, in any seed"


def test_its_first_screen_says_what_failures_cost_in_combat_with_the_numbers_of_the_results():
    late = late_returns("combat-conditions")
    screen = " ".join(README.read_text().splitlines()[:SCREEN])
    assert f"of a return of {late['ring'].mean():.1f}," in screen
    for condition, words in (
        ("the paid agent's link is cut", "A cut link next to that agent costs {}"),
        ("60 % lost", "losing 60 % of messages costs {}"),
        ("60 % in bursts", "losing 60 % in bursts costs {}"),
    ):
        costs = late["ring"] - late[condition]
        assert costs.count() == 3
        assert words.format(f"{costs.mean():.1f}") in screen
        assert (costs > 3).all(), "in any seed"


def test_the_demo_is_the_study_of_the_figure():
    make = (ROOT / "Makefile").read_text()
    assert "$(BIN)/testbed run demo --out demo\n\t$(BIN)/testbed report demo\n" in make
    (tutorial,) = re.findall(r"docs/tutorials/[\w-]+\.md", make)
    assert (ROOT / tutorial).is_file()
