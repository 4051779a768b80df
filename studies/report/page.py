"""The page itself: one file with its style, script and numbers, which makes no network requests."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from string import Template
from typing import Any

from studies.report.numbers import embedded

SCRIPTS = (
    "dom",
    "scales",
    "selection",
    "tables",
    "chart",
    "faults",
    "curves",
    "finals",
    "series",
    "recorded",
    "network",
    "key",
    "replay",
    "main",
)
"""Scripts in the order of the page; later ones use earlier ones."""


def page(title: str, parts: Mapping[str, str], data: Mapping[str, Any]) -> str:
    """The complete HTML.

    Args:
        title: title of the document.
        parts: HTML for the fields of the template.
        data: numbers for the script.
    """
    style = asset("page.css")
    script = "\n".join(asset(f"{name}.js") for name in SCRIPTS)
    policy = "; ".join(
        [
            "default-src 'none'",
            f"style-src '{content_hash(style)}'",
            f"script-src '{content_hash(script)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    return Template(asset("page.html")).substitute(
        parts, title=escape(title), policy=escape(policy), style=style, script=script, data=embedded(data)
    )


def is_page(text: str) -> bool:
    """Whether a text is a report, by this version or an earlier one."""
    marks = ('<meta name="generator" content="testbed report">', '<a class="skip" href="#answer">')
    return any(mark in text for mark in marks)


def notes(lines: Sequence[str]) -> str:
    """Warnings as an HTML list; empty if there are none."""
    if not lines:
        return ""
    items = "".join(f"<li>{escape(line[0].upper() + line[1:].rstrip('.'))}.</li>" for line in lines)
    heading = '<h2 id="to-know">To know first</h2>'
    return f'<section class="warnings" aria-labelledby="to-know">{heading}<ul>{items}</ul></section>'


def replay(note: str) -> tuple[str, str]:
    """The link to the replay and its section; both empty without a note.

    Args:
        note: what the replay shows, or why there is none.
    """
    if not note:
        return "", ""
    return '<a href="#replay-section">Replay</a>', (
        '<section id="replay-section" aria-labelledby="replay-title">\n'
        '<h2 id="replay-title">Replay of the network</h2>\n'
        f'<p class="prose">{escape(note)}</p>\n<div id="replay"></div>\n</section>'
    )


def series(data: Mapping[str, Any]) -> tuple[str, str]:
    """The link to the series of agents and links and their section; both empty if there are none."""
    named = [name for name in ("agents", "links") if data[name] is not None]
    if not named:
        return "", ""
    title = " and ".join(named).capitalize()
    return f'<a href="#series-section">{title}</a>', (
        '<section id="series-section" aria-labelledby="series-title">\n'
        f'<h2 id="series-title">{title}</h2>\n<div id="series"></div>\n</section>'
    )


def paragraphs(lines: Sequence[str]) -> str:
    """Texts as paragraphs."""
    return "".join(f"<p>{escape(line)}</p>" for line in lines)


def asset(name: str) -> str:
    """The text of a file in ``assets``."""
    return (resources.files("studies.report") / "assets" / name).read_text(encoding="utf-8")


def content_hash(text: str) -> str:
    """The hash that a Content-Security-Policy requires for inline content."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
