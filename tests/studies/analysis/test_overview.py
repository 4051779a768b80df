"""Tables of conditions in Markdown, LaTeX and HTML, read back."""

import csv
import io
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studies.analysis.overview import overview
from studies.execution import runner
from studies.markup import html_table, latex_cell, latex_table, latex_text, markdown_table, markdown_text
from studies.spec.loading import load
from studies.spec.manifest import StoredStudy, StoredTrial
from studies.storage.store import Store

NASTY = 'a|b_1 50% {x} $y^2$ <b>&amp; [l](http://e.org) `c` ~ # \\end{tabular} *s* -- "q"'

STUDY = f"""\
question: 'Does | {{it}} cost_50% more?'
workload: problem
problem: {{name: mean, agents: 4}}
consensus: {{budget: {{activations: 20}}}}
vary:
  topology: [ring, star]
  case:
    '{NASTY}': {{network.link.loss: 0}}
    plain: {{network.link.loss: 0.3}}
seeds: 2
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """The results of a study whose labels have every special letter."""
    folder = tmp_path_factory.mktemp("overview")
    (folder / "study.yaml").write_text(STUDY)
    study, store = load(str(folder / "study.yaml")), Store(folder / "out")
    store.remember(study)
    for trial in study.trials:
        runner.perform(runner.Task(trial, store.folder, {}), lambda *_: None)
    return store


def cells(line):
    """The cells of a row of a Markdown table, without its escapes."""
    assert line.startswith("| ")
    assert line.endswith(" |")
    parts = re.split(r"(?<!\\) \| ", line[2:-2])
    return [re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", part) for part in parts]


def test_a_markdown_table_has_every_condition_with_titles_and_units(call, store):
    code, out, err = call(
        "table", store.folder, "--markdown", "--metrics", "error,consensus_bytes,consensus_seconds"
    )
    assert (code, err) == (0, "")
    question, table, *notes = out.split("\n\n")
    assert cells(f"| {question} |") == ["Does | {it} cost_50% more?"]
    head, rule, *rows = map(cells, table.splitlines())
    assert head[:3] == ["topology", "case", "seeds"]
    assert re.fullmatch(r".*\((B|kB)\)", head[4])
    assert re.fullmatch(r".*\((s|ms|min)\)", head[5])
    assert rule == ["---", "---", *["---:"] * 4]
    assert [row[:3] for row in rows] == [
        [graph, case, "2"] for graph in ("ring", "star") for case in (NASTY, "plain")
    ]
    summary = store.summary(store.study())
    for row in rows:
        own = summary[(summary["topology"] == row[0]) & (summary["case"] == row[1])]
        value, low, high = map(float, re.fullmatch(r"(\S+) \((\S+), (\S+)\)", row[3]).groups())
        assert low <= value <= high
        assert value == pytest.approx(np.exp(np.log(own["error"]).mean()), rel=0.01)
    assert any("geometric mean" in note for note in notes)


def test_the_csv_is_every_trial(call, store):
    code, out, err = call("table", store.folder, "--csv")
    assert (code, err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out)))
    summary = store.summary(store.study())
    assert [row["trial"] for row in rows] == list(summary["trial"])
    assert [row["case"] for row in rows] == list(summary["case"])
    assert [float(row["error"]) for row in rows] == pytest.approx(list(summary["error"]), rel=1e-9)


def columns(line):
    """The cells of a row of a LaTeX table."""
    assert line.endswith(r" \\")
    return re.split(r"(?<!\\) & ", line.removesuffix(r" \\"))


def test_a_latex_table_is_whole_and_escaped(call, store, tmp_path):
    code, out, err = call("table", store.folder, "--latex", "--metrics", "error,bytes_sent")
    assert (code, err) == (0, "")
    lines = [line for line in out.splitlines() if not line.startswith("%")]
    assert lines[:2] == [r"\begin{tabular}{llrrr}", r"\toprule"]
    assert [lines[3], *lines[-2:]] == [r"\midrule", r"\bottomrule", r"\end{tabular}"]
    rows = [columns(line) for line in (lines[2], *lines[4:-2])]
    assert [len(row) for row in rows] == [5] * 5
    assert rows[1][1] == latex_text(NASTY)
    assert out.count(r"\end{tabular}") == 1
    assert out.splitlines()[0] == "% Does | {it} cost_50% more?"
    if (program := shutil.which("pdflatex")) is None:
        return  # what TeX does without is above
    document = rf"\documentclass{{article}}\usepackage{{booktabs}}\begin{{document}}{out}\end{{document}}"
    (tmp_path / "table.tex").write_text(document.replace("document}%", "document}\n%"))
    command = [program, "-halt-on-error", "-interaction=nonstopmode", "table.tex"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=120)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--markdown", "--latex"), "--markdown and --latex cannot be combined"),
        (("--csv", "--markdown"), "--csv and --markdown cannot be combined"),
        (("--csv", "--markdown", "--latex"), "--csv and --markdown and --latex cannot be combined"),
        (("--latex", "--metrics", "eror"), "did you mean 'error'?"),
    ],
)
def test_formats_exclude_each_other(call, store, options, message):
    code, out, err = call("table", store.folder, *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_numbers_are_in_one_unit_per_column():
    study = StoredStudy(
        "s",
        "",
        "problem",
        ("x",),
        (),
        None,
        tuple(StoredTrial(f"{i:016x}", 0, {"x": i}, 1, "problem") for i in range(3)),
        {},
    )
    summary = pd.DataFrame(
        {"trial": ["a", "b", "c"], "x": [1, 2, 3], "seed": 0, "bytes": [5e3, 2.5e7, np.nan], "seconds": 0.004}
    )
    made = overview(study, summary, ["bytes", "seconds"])
    assert made.headings[2].endswith("(MB)")
    assert [row[2] for row in made.rows] == ["0.005", "25", "-"]
    assert made.headings[3].endswith("(ms)")
    assert list(made.numbers["bytes"][:2]) == [5e3, 2.5e7]
    assert "0.005" in repr(made)


def test_latex_numbers_have_a_minus_and_powers_of_ten():
    shown = {
        "-180.2 (-183.0, 12,345)": "$-$180.2 ($-$183.0, 12,345)",
        "1.20e-05": r"$1.20 \times 10^{-5}$",
        "-inf": r"$-\infty$",
        "-": "--",
        "a-1_b": r"a-1\_b",
        "penalty β": r"penalty $\beta$",
        "a--b": "a-{}-b",
        "[0]": "{[}0{]}",
    }
    assert {cell: latex_cell(cell) for cell in shown} == shown


class Texts(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.tags, self.texts = set(), []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag in ("td", "th"):
            self.texts.append("")

    def handle_data(self, data):
        self.texts[-1] += data


@given(st.lists(st.text(max_size=12), min_size=1, max_size=3))
def test_no_text_gets_out_of_its_cell(row):
    shown = [text.encode("unicode_escape").decode() if not text.isprintable() else text for text in row]
    heads = ["h"] * len(row)
    table = markdown_table(heads, [row], left=1)
    assert table.count("\n") == 3
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", table.splitlines()[2])) == len(row) + 1
    assert not re.search(r"(?<!\\)(?:\\\\)*[<`*_\[$]", markdown_text(" ".join(row)))
    tex = latex_table(heads, [row])
    assert tex.count("\n") == 7
    (line,) = tex.splitlines()[4:5]
    body = line.removesuffix(r" \\")
    assert len(re.findall(r"(?<!\\)&", body)) == len(row) - 1
    assert not re.search(r"(?<!\\)[%#]", body)
    page = Texts(html_table(heads, [row]))
    assert page.tags == {"table", "thead", "tbody", "tr", "th", "td"}
    if all(text.isprintable() for text in row):
        assert page.texts[len(row) :] == shown
