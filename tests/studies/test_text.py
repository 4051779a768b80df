"""Text that people typed: it acts on nothing that shows it, and leads nowhere but where it should."""

import html
import json
import re
import shlex
import unicodedata
from pathlib import Path

import pytest
import reported
from hypothesis import given, settings
from hypothesis import strategies as st

from studies import report, text
from studies.columns import format_levels
from studies.figures import curve, draw
from studies.figures.from_store import draw_figures
from studies.spec.loading import define, load
from studies.storage.store import default_folder

NASTY = [
    "from $1_ to $2",
    r"$\frac{1}{0",
    "a_b^c\\d",
    "_hidden",
    "<script>alert(1)</script> & \"quotes\" 'too'",
    "[red]red[/] :smile:",
    "[/unopened]",
    "ends in \\",
    "{0} {col_name} {a}",
    "中文标签 かな 한국어",
    "🎉 emoji",
    "שלום עולם",
    "\x1b[31mred\x1b[0m\x07",
    "\u202eevil\u202c",
    "two\nlines\tand a tab",
    "",
    "   ",
    "\u200b",
    "long " * 190,
    "=1+1",
    "nan",
    "1e3",
]


@settings(max_examples=60, deadline=None)
@given(st.text())
def test_whatever_acts_is_escaped_and_text_stays_text(words):
    shown = text.label(words)
    assert shown
    assert shown == shown.strip()
    kinds = {unicodedata.category(letter) for letter in shown if letter not in text.JOINERS}
    assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}  # controls, marks of direction, halves of letters
    assert text.visible(text.visible(words)) == text.visible(words)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("plain, with ü and 中", "plain, with ü and 中"),
        ("\x1b[31m", r"\x1b[31m"),
        ("a\nb", r"a\nb"),
        ("\u202eabc", r"\u202eabc"),
        ("", '""'),
        (" a", '" a"'),
        ("👩\u200d🔬", "👩\u200d🔬"),
    ],
)
def test_labels_as_they_are_shown(words, shown):
    assert text.label(words) == shown


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(), min_size=2, max_size=2, unique=True))
def test_folders_of_studies_stay_in_runs_and_differ_as_their_names_do(names):
    one, two = map(text.folder_name, names)
    assert one != two
    for folder in (one, two):
        assert (Path("runs") / folder).parent == Path("runs")
        assert folder == Path(folder).name  # neither empty, nor dots, nor with a slash
        assert folder[0] not in ".-~"
        assert len(folder.encode(errors="surrogatepass")) < 256


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("link-loss", "link-loss"),
        ("with spaces and 'quotes'", "with spaces and 'quotes'"),
        ("...", "%2E.."),
        ("..", "%2E."),
        ("-rf", "%2Drf"),
        ("~", "%7E"),
        ("../../etc", "%2E.%2F..%2Fetc"),
        ("/etc", "%2Fetc"),
        ("", "%"),
    ],
)
def test_folders_are_named_as_studies_are_but_for_what_leads_elsewhere(name, folder):
    assert text.folder_name(name) == folder


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(st.characters(exclude_characters="\0"), max_size=9), min_size=1))
def test_commands_are_read_by_a_shell_as_they_were_meant(words):
    assert shlex.split(text.command(words)) == words


def test_different_values_have_different_words():
    assert format_levels("x", [0.123456789, 0.12345678901]) == ["0.123456789", "0.12345678901"]
    assert format_levels("x", [0.1, 0.2]) == ["0.1", "0.2"]
    assert format_levels("x", ["a\nb", "a\\nb", "c"]) == ["a\\nb", "a\\nb (2)", "c"]


@pytest.fixture(scope="module")
def nasty(tmp_path_factory):
    """A study whose question and labels are all of the above."""
    folder = tmp_path_factory.mktemp("nasty")
    study = {
        "question": " | ".join(NASTY),
        "workload": "problem",
        "problem": {"name": "mean", "agents": 3, "dimension": 2},
        "network": {"link": {"delay": "1ms"}},
        "consensus": {"budget": {"activations": 4}},
        "vary": {"$x_y$ {0}": {name: {"consensus.penalty": 1 + i} for i, name in enumerate(NASTY)}},
    }
    (folder / "nasty $(x).yaml").write_text(json.dumps(study), encoding="utf-8")
    return reported.run(folder / "nasty $(x).yaml", folder / "out")


def test_figures_show_labels_as_text(nasty, monkeypatch):
    study, store = nasty
    kept = [plan for plan in draw.PLANS["problem"] if plan.name in ("error_by_bytes", "final_error")]
    monkeypatch.setitem(draw.PLANS, "problem", kept)
    said = []
    files = draw_figures(study, store, said.append)
    assert [file.stem for file in files] == ["error_by_bytes", "final_error"]
    assert [line for line in said if "could not be drawn" in line] == []
    assert len(said) <= 1  # of letters that are in no font of this machine
    for file in files:
        svg = file.with_suffix(".svg").read_text("utf-8")
        shown = {html.unescape(words) for words in re.findall(r"<text[^>]*>([^<]*)</text>", svg)}
        for name in NASTY:
            label = text.shortened(text.label(name)).strip()
            assert any(label in words for words in shown), label


def test_a_figure_that_cannot_be_drawn_is_named_and_the_others_are_there(nasty, monkeypatch):
    study, store = nasty
    kept = [plan for plan in draw.PLANS["problem"] if plan.name in ("error_by_bytes", "final_error")]
    monkeypatch.setitem(draw.PLANS, "problem", kept)

    def fails(*_):
        raise ValueError("no\nroom")

    monkeypatch.setattr(curve, "_lines", fails)
    said = []
    files = draw_figures(study, store, said.append)
    assert [file.stem for file in files] == ["final_error"]
    assert said[0] == "figure error_by_bytes could not be drawn: ValueError: no room"
    assert not (store.folder / "figures" / "error_by_bytes.png").exists()
    assert (store.folder / "summary.csv").exists()


def test_tables_show_labels_as_text(nasty, call):
    _, store = nasty
    code, out, _ = call("table", store.folder)
    assert code == 0
    for name in NASTY:
        assert text.label(name)[:200] in out  # very long ones are broken into lines
    code, out, _ = call("table", store.folder, "--csv")
    assert len(out.splitlines()) == 1 + len(NASTY)
    assert not set(out) & set("\x1b\x07\u202e")
    _, out, _ = call("status", store.folder, "--all")
    assert not set(out) & set("\x1b\x07\u202e")
    assert "[red]red[/] :smile:" in out


def test_the_page_shows_labels_as_text_and_quotes_its_commands(nasty):
    _, store = nasty
    page = reported.read(report.write(store.folder, replayed=False).file)
    assert {tag for tag, _ in page.elements} & {"img", "frac"} == set()
    rows = [row["$x y$ {0}"][0][0] for row in page.records("trials")]
    assert rows == [text.label(name) for name in NASTY]
    commands = next(words for words in page.texts["pre"] if words.startswith("testbed run"))
    assert shlex.split(commands.splitlines()[0]) == ["testbed", "run", "nasty $(x).yaml", "--out", "again"]
    assert not set(store.folder.joinpath("report.html").read_text("utf-8")) & set("\x1b\x07\u202e")


@pytest.mark.parametrize("name", ["...", "..", ".", "", "-rf", "../up", "/abs", "a b", "$(x)", "~", "x\ny"])
def test_results_of_any_study_go_below_runs(call, tmp_path, name, monkeypatch):
    assert default_folder(name).resolve().parent == Path("runs").resolve()
    study = define({"workload": "problem", "problem": {"name": "mean", "agents": 3}}, name=name)
    assert study.name == name


def test_a_study_file_with_a_name_like_an_option_runs(call):
    Path("....yaml").write_text("workload: problem\nproblem: {name: mean, agents: 3}\n")
    assert load("....yaml").name == "..."
    code, out, err = call("validate", "....yaml")
    assert (code, err) == (0, "")
    assert out.startswith("...: problem, 1 trial")
