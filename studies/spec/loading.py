"""Finds a study, reads it, and puts its quick form and the command line's settings on top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from studies.spec import grid
from studies.spec.builtin import builtin_file, builtin_names
from studies.spec.document import (
    Document,
    Keys,
    StudyError,
    dotted,
    parse,
    parse_assignment,
    plain,
    read_text,
    split,
)
from studies.spec.resolving import resolve
from studies.spec.study import Study
from studies.spec.synonyms import did_you_mean


def find(name: str) -> Path:
    """The file of a study: a path, or the name of a built-in study.

    Raises:
        StudyError: there is neither.
    """
    path = Path(name)
    if path.is_file():
        return path
    names = builtin_names()
    if name in names:
        return builtin_file(name)
    if path.is_dir():
        raise StudyError(f"{name}: is a folder, not a study file")
    raise StudyError(f"{name}: no such study file{did_you_mean(name, names)} (built in: {', '.join(names)})")


def load(name: str, *, overrides: Sequence[str] = (), quick: bool = False) -> Study:
    """Reads a study and checks all of it, its graphs included.

    Args:
        name: a file, or the name of a built-in study.
        overrides: ``a.b=value`` each, put on top of everything else.
        quick: puts the study's ``quick:`` block on top first.

    Raises:
        StudyError: anything is wrong; one line.
    """
    path = find(name)
    document = parse(
        read_text(path, what="study"), str(name if path.name != f"{name}.yaml" else path.name), path.parent
    )
    return _complete(document, path.stem, overrides, quick)


def define(
    settings: Mapping[str, Any], *, name: str, overrides: Sequence[str] = (), quick: bool = False
) -> Study:
    """Checks a study given as plain data, as a study file would have it; files are relative to here.

    Args:
        settings: nested mappings, lists and scalars, with text for keys; NumPy's arrays and numbers and paths
            are taken for lists, numbers and text.
        name: what to call it.
        overrides, quick: as for :func:`load`.

    Raises:
        StudyError: anything is wrong; one line.
    """
    return _complete(Document(plain(settings, name), source=name), name, overrides, quick)


def _complete(document: Document, name: str, overrides: Sequence[str], quick: bool) -> Study:
    """Puts the quick form and single settings on top, and checks everything."""
    changes: list[tuple[str, Any, dict[Keys, str]]] = []
    if quick:
        block = document.data.get("quick")
        if not isinstance(block, dict) or not block:
            raise StudyError(
                f"{document.source}: --quick needs a `quick:` block in the study, and there is none"
            )
        written = document.sub_places([("quick", key) for key in block])
        changes += [(key, block[key], written["quick", key]) for key in block]
    if isinstance(overrides, str) or not all(isinstance(text, str) for text in overrides):
        raise StudyError("overrides: must be a list of texts such as network.link.loss=0.1")
    for text in overrides:
        key, value = parse_assignment(text)
        changes.append((key, value, {(): "--set"}))
    for key, value, places in changes:
        _change(document, key, value, places)
    return resolve(document, name)


def _change(document: Document, key: str, value: Any, places: Mapping[Keys, str]) -> None:
    """Puts a value of the quick form or the command line on top, unless the grid would hide it."""
    path = split(key, places[()])
    vary = document.data.get("vary")
    if path[0] != "vary":
        if hiding := grid.hiding(vary, path, places[()]):
            varied, name, case = hiding
            reason = f"the study varies {name}; set vary.{name} to a list instead"
            if case is not None:
                reason = f"the study varies {name}, whose case {case!r} sets {dotted(varied)}"
            raise StudyError(f"{places[()]}: {key}: {reason}")
    elif len(path) == 2 and isinstance(value, list) and isinstance(vary, dict):
        name = str(path[1])
        if isinstance(cases := vary.get(name), dict):  # a list of labels chooses among the cases
            vary[name] = grid.selected(name, cases, value, places[()])
            return
    document.put(path, value, places)
