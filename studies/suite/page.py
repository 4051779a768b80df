"""The page of a suite: one file with its figures and tables, in the style of the report, without scripts."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from importlib import resources
from pathlib import Path
from string import Template

from studies import text
from studies.markup import Rows
from studies.report.page import asset, content_hash, paragraphs
from studies.suite.definition import Size, Suite
from studies.suite.plan import Choice
from studies.suite.table import HEADINGS, LABELS, Table, pivot


def page(suite: Suite, size: str, choice: Choice, found: Table, pictures: Sequence[Path | None]) -> str:
    """The complete HTML, which makes no requests and runs no scripts.

    Args:
        suite, size: what was run.
        choice: the part of it that is shown.
        found: the table.
        pictures: PNG files of the heat map and of the profiles; None where there is none.
    """
    style = asset("page.css") + STYLE
    policy = "; ".join(
        [
            "default-src 'none'",
            f"style-src '{content_hash(style)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    tasks = list(dict.fromkeys(found.numbers["task"]))
    heat_map, profiles = (
        _picture(file, words)
        for file, words in zip(
            pictures, ("Heat map of kept shares, methods by conditions", "Performance profiles"), strict=True
        )
    )
    meanings = [(n, each.stands_for) for n, each in suite.conditions.items() if choice.has_condition(n)]
    template = (resources.files("studies.suite") / "assets" / "suite.html").read_text(encoding="utf-8")
    return Template(template).substitute(
        policy=escape(policy),
        style=style,
        title=escape(f"{suite.name}, {size}"),
        facts=escape(f"{_shown(suite.sizes[size], choice)}. Hash {suite.digest}."),
        notes=paragraphs(found.notes[1:]),
        heat_map=heat_map,
        profiles=profiles,
        pivots="".join(f"<h3>{escape(task)}</h3>{_table(*pivot(found.numbers, task), 1)}" for task in tasks),
        table=_table(HEADINGS, found.rows, LABELS),
        conditions=_table(("condition", "stands for"), meanings, 2),
        command=escape(text.command(["testbed", "suite", size, *_options(choice)])),
    )


def _shown(size: Size, choice: Choice) -> str:
    """What a size is, and which part of it a page has if it does not have all."""
    if choice == Choice():
        return size.about
    tasks = ", ".join(choice.tasks) or "all tasks"
    return f"A part of the size ({tasks}; {', '.join(choice.conditions) or 'all conditions'}): {size.about}"


def _options(choice: Choice) -> list[str]:
    """The options of the command that make this choice."""
    given = {"--task": choice.tasks, "--condition": choice.conditions}
    return [word for option, names in given.items() for name in names for word in (option, name)]


STYLE = """
.facts { overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
.wide table { border-collapse: collapse; }
.wide th, .wide td { padding: 0.15rem 0.6rem; text-align: right; white-space: nowrap; }
.wide th.left, .wide td.left { text-align: left; }
img.figure { max-width: 100%; background: #fff; border-radius: 4px; }
"""


def _table(headings: Sequence[str], rows: Rows, left: int) -> str:
    """An HTML table that scrolls sideways; the first ``left`` columns and notes are aligned to the left."""
    texts = {*range(left), *(i for i, heading in enumerate(headings) if heading == "note")}

    def line(cells: Sequence[str], kind: str) -> str:
        shown = []
        for place, cell in enumerate(cells):
            side = ' class="left"' if place in texts else ""
            shown.append(f"<{kind}{side}>{escape(cell)}</{kind}>")
        return f"<tr>{''.join(shown)}</tr>"

    body = "".join(line(row, "td") for row in rows)
    head = line(headings, "th")
    return f'<div class="wide" tabindex="0"><table><thead>{head}</thead><tbody>{body}</tbody></table></div>'


def _picture(file: Path | None, words: str) -> str:
    if file is None:
        return (
            "<p>There is no figure: no task has other conditions and a gap between the two of the scale.</p>"
        )
    data = base64.b64encode(file.read_bytes()).decode()
    return f'<img class="figure" alt="{escape(words)}" src="data:image/png;base64,{data}">'
