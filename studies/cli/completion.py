"""Completions for shells: studies, settings with their values, and metrics.

``testbed --install-completion`` makes a shell call ``testbed`` at each press of the tab key, so nothing here
imports PyTorch, pandas or NetworkX.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from itertools import pairwise
from pathlib import Path

import typer

VARIABLE = "_TESTBED_COMPLETE"
"""Environment variable with which shells ask for completions."""

VALUE_OF = "_TESTBED_COMPLETE_VALUE_OF"
"""Environment variable: the setting before the equals sign, of which the word to complete is the value."""

SETTINGS = "settings.json"
"""The settings and their values, made by :mod:`studies.docgen.completions`."""

SUMMARY = "summary.csv"

GRID = "vary."
"""Prefix of settings that a study varies."""


@cache
def settings() -> Mapping[str, Sequence[str]]:
    """Dotted path of each built-in setting -> its values, if they have names."""
    text = (resources.files("studies.cli") / SETTINGS).read_text("utf-8")
    found: dict[str, list[str]] = json.loads(text)
    return found


def studies(incomplete: str) -> list[str]:
    """Completions of a study argument: built-in studies, and files as shells complete them by default."""
    from studies.spec.builtin import builtin_names

    folder = Path(incomplete).parent if incomplete else Path()
    files = [
        f"{path}/" if path.is_dir() else f"{path}"
        for path in sorted(folder.glob("*"))
        if path.is_dir() or path.suffix in (".yaml", ".yml")
    ]
    return [name for name in [*builtin_names(), *files] if name.startswith(incomplete)]


def overrides(incomplete: str) -> list[str]:
    """Completions of ``--set``: paths of settings up to the equals sign; behind it the values with names.

    The only path that matches is followed by its values at once.
    """
    known = settings()
    if (setting := os.environ.get(VALUE_OF)) is not None:
        return [each for each in known.get(setting, ()) if each.startswith(incomplete)]
    path, equals, value = incomplete.partition("=")
    if path.startswith(GRID):
        known = {f"{GRID}{each}": () for each in known}
    if equals:
        return [f"{path}={each}" for each in known.get(path, ()) if each.startswith(value)]
    paths = [each for each in known if each.startswith(path)]
    if len(paths) == 1 and known[paths[0]]:
        return [f"{paths[0]}={each}" for each in known[paths[0]]]
    return [f"{each}=" for each in paths]


def metric(context: typer.Context, incomplete: str) -> list[str]:
    """Completions of ``--metric``: numbers in the results folder on the command line, or all if none are."""
    return [name for name in _metrics(context) if name.startswith(incomplete)]


def metrics(context: typer.Context, incomplete: str) -> list[str]:
    """Completions of ``--metrics``, a list with commas: its last name."""
    before, comma, last = incomplete.rpartition(",")
    taken = set(before.split(","))
    return [
        f"{before}{comma}{name}" for name in _metrics(context) if name.startswith(last) and name not in taken
    ]


def _metrics(context: typer.Context) -> list[str]:
    from studies.columns import COLUMNS, RESERVED

    patterns = [column.name for column in COLUMNS if column.name not in RESERVED]
    # Where the value of an option is missing, the arguments before it are still unnamed.
    for folder in (context.params.get("folder"), context.params.get("first"), *context.args[:1]):
        if folder is not None and (stored := list(_stored(Path(folder) / SUMMARY))):
            return [name for name in stored if any(fnmatchcase(name, pattern) for pattern in patterns)]
    return [name for name in patterns if "*" not in name]


def _stored(summary: Path) -> Iterator[str]:
    """The names of the columns of a summary; none if there is no such file yet."""
    if summary.is_file():
        with summary.open(encoding="utf-8", errors="replace", newline="") as file:
            yield from next(csv.reader(file), [])


def rejoin(environment: MutableMapping[str, str]) -> None:
    """Makes ``name=value`` one word again, which bash hands over as the three ``name``, ``=``, ``value``.

    The word to complete remains the value alone, because that is what bash replaces: behind an option, or
    with the setting in ``VALUE_OF``.

    Args:
        environment: variables of a process, which change if they are bash's request for completions.
    """
    if environment.get(VARIABLE) != "complete_bash":
        return
    text, last = environment["COMP_WORDS"], int(environment["COMP_CWORD"])
    separator = "\n" if "\n" in text else " "
    *words, incomplete = text.split(separator)[: last + 1]
    if incomplete == "=":
        words, incomplete = [*words, "="], ""
    whole = [""]
    for before, word in pairwise(["", *words]):
        if word == "=" or before == "=":
            whole[-1] += word
        else:
            whole.append(word)
    if words and words[-1] == "=":
        name = whole.pop().removesuffix("=")
        if name.startswith("-"):
            whole.append(name)
        else:
            environment[VALUE_OF] = name
    whole.append(incomplete)
    environment["COMP_WORDS"], environment["COMP_CWORD"] = separator.join(whole[1:]), f"{len(whole) - 2}"
