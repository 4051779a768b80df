"""The gallery is what the READMEs of the findings say, and has every figure of theirs."""

import re
from pathlib import Path

import pytest

from studies.docgen import gallery

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "studies" / "results"
TEXT = """\
# A title

    testbed run first

![One](one.png)

* An item

      testbed run of-the-item

![Two](two.png)

## More

Words.

    testbed run second \\
        --quick

Words.

    python more.py

![Three](../three.png)
![Four](four.png)
"""
SECOND = "testbed run second \\\n    --quick\npython more.py"


def test_the_page_is_what_the_readmes_say():
    assert (ROOT / "docs" / "gallery.md").read_text() == gallery.page(RESULTS), "run `make reference`"


def test_every_figure_of_the_findings_is_there_once():
    shown = re.findall(r"^!\[.+\]\(../studies/results/(.+)\)$", gallery.page(RESULTS), re.MULTILINE)
    assert sorted(shown) == sorted(str(path.relative_to(RESULTS)) for path in RESULTS.glob("*/*.png"))


def test_a_figure_has_the_commands_before_it_under_its_heading():
    first, second = "testbed run first", SECOND
    assert list(gallery.figures(TEXT, "README.md")) == [
        gallery.Figure(first, "one.png", "One"),
        gallery.Figure(first, "two.png", "Two"),
        gallery.Figure(second, "../three.png", "Three"),
        gallery.Figure(second, "four.png", "Four"),
    ]


def test_a_figure_without_a_command_is_refused():
    with pytest.raises(ValueError, match=r"^a/README.md: one.png has no block of code with its command"):
        list(gallery.figures("# A title\n\n![One](one.png)\n", "a/README.md"))


def test_a_new_folder_has_its_row(tmp_path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "README.md").write_text(TEXT)
    assert gallery.page(tmp_path).endswith(
        "## new\n\n[A title](../studies/results/new/README.md)\n\n"
        "```sh\ntestbed run first\n```\n\n"
        "![One](../studies/results/new/one.png)\n![Two](../studies/results/new/two.png)\n\n*One. Two.*\n\n"
        f"```sh\n{SECOND}\n```\n\n"
        "![Three](../studies/results/three.png)\n![Four](../studies/results/new/four.png)\n\n*Three. Four.*\n"
    )
