"""Text and tables in Markdown, LaTeX and HTML, with everything escaped that these would interpret.

Labels, questions and names come from study files, which somebody else may have written.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from studies import text

Rows = Sequence[Sequence[str]]

_NUMBER = re.compile(
    r"(?<![\w.])(?P<sign>-?)(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?:e(?P<power>[+-]\d+))?(?![\w.])"
)

_GREEK = (
    "alpha beta gamma delta varepsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon"
    " varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"
)

_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\symbol{34}",
    "`": r"\textasciigrave{}",
    # The end of a row looks for a star or a bracket after it.
    "*": "{*}",
    "[": "{[}",
    "]": "{]}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "−": "$-$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "→": r"$\rightarrow$",
    "∞": r"$\infty$",
    "²": "$^2$",
    "µ": r"$\mu$",
    "…": r"\ldots{}",
    "–": "--",
    "—": "---",
} | {
    letter: rf"$\{name}$"
    for letter, name in zip("αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ", _GREEK.split(), strict=True)
}
"""Letters -> LaTeX that shows them, with any font encoding. Others are kept as UTF-8."""


_WHOLE = {"inf": r"$\infty$", "-inf": r"$-\infty$", "-": "--"}
"""Cells of tables that are no numbers -> LaTeX."""


def markdown_text(given: str) -> str:
    """The text, on one line, as Markdown (CommonMark, and GitHub's tables) that shows it unchanged."""
    escaped = re.sub(r"[\\`*_{}\[\]<>#|~$&@]", lambda found: f"\\{found[0]}", text.visible(given))
    escaped = escaped.replace("://", "\\://")  # otherwise an address becomes a link
    return re.sub(r"\b(www)\.", r"\1\\.", escaped, flags=re.IGNORECASE)


def markdown_table(headings: Sequence[str], rows: Rows, *, left: int = 0) -> str:
    """A table in GitHub's Markdown; it ends with a line break.

    Args:
        headings: one for each column; plain text, as are the rows.
        rows: one text for each column.
        left: number of the first columns that are aligned to the left; the others are to the right.
    """
    lines = [
        [markdown_text(cell) for cell in headings],
        ["---" if place < left else "---:" for place in range(len(headings))],
        *([markdown_text(cell) for cell in row] for row in rows),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def latex_text(given: str) -> str:
    """The text, on one line, as LaTeX that shows it unchanged; letters that it does not know stay UTF-8."""
    apart = re.sub(r"([-'])(?=\1)|([?!])(?=`)", r"\1\2\0", text.visible(given))  # else two become one letter
    return "".join("{}" if letter == "\0" else _LATEX.get(letter, letter) for letter in apart)


def latex_cell(given: str) -> str:
    """As :func:`latex_text`, with a minus and powers of ten for the numbers in it."""
    if given in _WHOLE:
        return _WHOLE[given]
    parts, end = [], 0
    for found in _NUMBER.finditer(given):
        parts += [latex_text(given[end : found.start()]), _latex_number(found)]
        end = found.end()
    return "".join([*parts, latex_text(given[end:])])


def _latex_number(found: re.Match[str]) -> str:
    sign, digits, power = found["sign"], found["digits"], found["power"]
    if power is None:
        return f"$-${digits}" if sign else digits
    return rf"${sign}{digits} \times 10^{{{int(power)}}}$"


def latex_table(headings: Sequence[str], rows: Rows, *, left: int = 0) -> str:
    """A ``tabular`` with the rules of the package booktabs; it ends with a line break.

    Args:
        headings, rows, left: as for :func:`markdown_table`.
    """
    columns = "l" * left + "r" * (len(headings) - left)
    lines = [
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        rf"{' & '.join(map(latex_text, headings))} \\",
        r"\midrule",
        *(rf"{' & '.join(map(latex_cell, row))} \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "".join(f"{line}\n" for line in lines)


def latex_comment(given: str) -> str:
    """The text as a comment, one line."""
    return f"% {text.visible(given)}\n"


def html_table(headings: Sequence[str], rows: Rows, *, left: int = 0, caption: str = "") -> str:
    """An HTML table for notebooks; colours are the notebook's own, light or dark.

    Args:
        headings, rows, left: as for :func:`markdown_table`.
        caption: plain text above it; may be empty.
    """

    def row(cells: Sequence[str], kind: str) -> str:
        aligned = (
            f'<{kind} style="text-align: {"left" if place < left else "right"}; white-space: nowrap">'
            f"{html.escape(text.visible(cell))}</{kind}>"
            for place, cell in enumerate(cells)
        )
        return f"<tr>{''.join(aligned)}</tr>"

    above = f"<p>{html.escape(text.visible(caption))}</p>" if caption else ""
    body = "".join(row(cells, "td") for cells in rows)
    return f"{above}<table><thead>{row(headings, 'th')}</thead><tbody>{body}</tbody></table>"
