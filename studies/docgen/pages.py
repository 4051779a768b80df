"""Writes the reference, ``docs/reference``, the gallery and the schema of submissions to the suite.

    python -m studies.docgen.pages

New settings are added to the record of defaults at the same time, see :mod:`studies.docgen.format_record`.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Collection, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, get_args, get_type_hints

import typer

import studies.cli.main  # noqa: F401  # registers the commands
import topologies
from studies import columns
from studies.analysis.bootstrap import ENOUGH
from studies.cli.options import app
from studies.docgen import completions, format_record, gallery
from studies.docgen.settings import COLUMNS, Documented, Section, prose, table, written
from studies.spec.study import Header
from studies.spec.topology import TopologySettings
from studies.storage.stored_files import FILES
from studies.suite import definition as suites
from studies.suite import submission
from testbed import environments
from testbed.common import units
from testbed.consensus.traits import ALGORITHMS as CONSENSUS
from testbed.network import graph_attributes
from testbed.network.impairments import delay
from testbed.training.learners import LEARNERS

FOLDER = Path("docs/reference")
NOTE = "<!-- Written by `make reference` from the code: change that, not this. -->"
PAGES = {"environment": "environments.md", "algorithm": "algorithms.md"}
"""Keys of a study file whose settings have their own page."""


def pages() -> dict[str, str]:
    """All pages of the reference: file name -> Markdown."""
    made = {
        "study-file.md": _study_file(),
        "environments.md": _environments(),
        "algorithms.md": _algorithms(),
        "topologies.md": _topologies(),
        "command-line.md": _command_line(),
        "columns.md": _columns(),
    }
    return {name: "\n\n".join([NOTE, *parts]) + "\n" for name, parts in made.items()}


def write(folder: Path) -> None:
    """Writes all pages, and removes obsolete ones."""
    made = pages()
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")
    for path in folder.glob("*.md"):
        if path.name not in made:
            path.unlink()


def _study_file() -> Iterator[str]:
    documented = Documented(PAGES)
    yield "# Study files"
    yield (
        "Every key of a study file. Paths such as `network.link.delay` name what `vary`, `quick` and `--set`"
        " can change; keys left out have their defaults, and unknown ones are refused. `testbed schema`"
        " prints the same as JSON Schema, for editors."
    )
    yield "## The whole study"
    yield prose(inspect.getdoc(Header) or "")
    yield table(COLUMNS, documented.rows(documented.header))
    for name, schema in documented.workloads.items():
        yield f"## `workload: {name}`"
        yield prose(schema["properties"]["workload"]["description"])
        yield table(COLUMNS, documented.rows(documented.own(name)))
    roots = dict.fromkeys(section.root for section in documented.sections.values())
    yield "## Settings"
    yield from _sections(documented, documented.below(*(root for root in roots if root not in PAGES)))
    yield "## Delay distributions"
    _, words, *rest = paragraphs(delay)
    yield words
    yield "\n".join(f"- `{law.name}`: {prose(law.about)}" for law in delay.LAWS.values())
    yield from rest
    yield "## Durations and rates"
    yield "\n\n".join(paragraphs(units))


def _environments() -> Iterator[str]:
    documented = Documented({**PAGES, "environment": ""})
    yield "# Environments"
    yield "Choices of `environment` in a study file, and of `testbed.environments.make(name, ...)`."
    for name in environments.NAMES:
        model = environments.settings_of(name)
        yield f"- [{name}](#{documented.sections[model.__name__].anchor}): {_first(model)}"
    for name in environments.NAMES:
        model = environments.settings_of(name)
        yield from _section(documented, documented.sections[model.__name__], "##")
        world = get_type_hints(model.make)["return"]
        yield from paragraphs(world)
        listed = ", ".join(f"`return_{component}`" for component in world.components)
        yield f"Its own columns: {listed or 'none'}."
    kinds = {environments.settings_of(name).__name__ for name in environments.NAMES}
    inner = [name for name, section in documented.sections.items() if section.root == "environment"]
    yield from _sections(documented, [documented.sections[name] for name in inner if name not in kinds])


def _algorithms() -> Iterator[str]:
    documented = Documented({**PAGES, "algorithm": ""})
    yield "# Algorithms"
    yield "## Learning algorithms"
    yield "Choices of `algorithm` in a study file."
    for name, model in LEARNERS.members().items():
        yield f"- [{name}](#{documented.sections[model.__name__].anchor}): {_first(model)}"
    yield from _sections(documented, documented.below("algorithm"))
    yield "## Consensus algorithms"
    yield "Choices of `consensus.algorithm`."
    rows = []
    for name, algorithm in CONSENSUS.members().items():
        solves = "means" if algorithm.averages else "all problems, and policies"
        if algorithm.needs_gradients:
            solves = "smooth convex problems"
        about = " ".join(prose(part) for part in paragraphs(algorithm))
        rows.append(
            [f"`{name}`", about, solves, ", ".join(f"`{one}`" for one in algorithm.allowed_activations)]
        )
    yield table(("name", "what it is", "agrees on", "`consensus.activation`"), rows)


def _topologies() -> Iterator[str]:
    yield "# Topologies"
    yield (
        "Choices of `topology` in a study file: a name, or a mapping with `name` and the parameters of that"
        " family, or with a `file`. `testbed topologies --nodes 16` prints how fast agents can agree on each."
    )
    rows = []
    for name, family in topologies.FAMILIES.items():
        parameters = [f"`{key}: {written(value)}`" for key, value in family.parameters.items()]
        about = prose(inspect.getdoc(family.build) or "")
        rows.append([f"`{name}`", ", ".join(parameters) or "none", about])
    yield table(("name", "parameters and their defaults", "graph"), rows)
    yield "A default of `null` is chosen from the number of nodes. Next to `name` or `file` there may be"
    fields = TopologySettings.model_json_schema()["properties"]
    own = {key: fields[key] for key in fields if key not in ("name", "parameters")}
    yield table(COLUMNS, Documented(PAGES).rows(own))
    yield "## Files"
    yield from paragraphs(topologies.read)
    yield "## Links of a file"
    yield from paragraphs(graph_attributes)


def _command_line() -> Iterator[str]:
    yield "# Command line"
    group: Any = typer.main.get_command(app)
    yield f"`testbed COMMAND`: {prose(group.help)} `testbed COMMAND --help` prints the same."
    for name, command in group.commands.items():
        arguments = [one for one in command.params if one.param_type_name == "argument"]
        options = [one for one in command.params if one.param_type_name == "option" and one.name != "help"]
        yield f"## `testbed {' '.join([name, *(str(one.metavar) for one in arguments)])}`"
        yield prose(command.help)
        rows = [[f"`{one.metavar}`", "needed", prose(one.help or "")] for one in arguments]
        hints = get_type_hints(inspect.unwrap(command.callback))
        for one in options:
            kinds = {hints[one.name], *get_args(hints[one.name])}
            value = "" if one.is_flag else f" {one.metavar or _word(kinds)}"
            default = "" if one.is_flag or one.default is None else f"`{one.default}`"
            rows.append([f"`{', '.join(one.opts)}{value}`", default, prose(one.help or "")])
        if rows:
            yield table(("argument or option", "default", "meaning"), rows)
    yield (
        "`testbed` alone prints these commands by purpose, and ends with 0. The other exit codes are"
        " [here](../running-studies.md#exit-codes)."
    )


def _columns() -> Iterator[str]:
    yield "# Columns of the tables"
    yield (
        "Columns of `summary.csv`, which has a row per trial, of the curves of each trial"
        " (`curves_consensus.parquet`, `curves_training.parquet`), and of the other tables. A table has the"
        " columns that its study measures; varied settings have their own columns. `*` stands for any"
        " ending."
    )
    yield "## Files"
    yield "In the folder of a study's results, where `<hash>` is the name of a trial:"
    times = {"always": "always", "training": "of training", "faults": "with `network.faults`"}
    times |= {"reach": "with `reach`", "names": "with a graph file that names its nodes"}
    rows = [
        [f"`{name}`", times[when], words] for name, found in FILES.items() for when, words in found.items()
    ]
    yield table(("file", "there", "contents"), rows)
    yield "## Numbers over seeds"
    distances = [each.name for each in columns.COLUMNS if each.geometric]
    yield (
        "Each metric has one estimator, whether in `testbed table`, a figure, a report or `testbed compare`."
        " In training studies it is the interquartile mean (IQM), or the mean with fewer than four seeds; in"
        f" others the mean. For {_listed(distances)} it is the geometric mean. A 0 among the seeds"
        " makes a geometric mean 0, and figures with logarithmic axes leave the condition out and say so;"
        " negative numbers have none. Intervals are 95 % percentile bootstrap intervals, which for two or"
        " three seeds are their range; for one seed, or equal ones, there is none. Fewer than"
        f" {ENOUGH} seeds are too few to conclude from."
    )
    for heading, found in groupby(columns.COLUMNS, key=lambda each: each.section):
        yield f"## {prose(heading)}"
        rows = [
            [f"`{each.name}`", prose(each.meaning), each.unit, each.better, prose(each.title)]
            for each in found
        ]
        yield table(("column", "meaning", "unit", "better", "on figures"), rows)


def _listed(names: Collection[str]) -> str:
    *others, last = (f"`{name}`" for name in sorted(names))
    return f"{', '.join(others)} and {last}"


def _sections(documented: Documented, sections: list[Section]) -> Iterator[str]:
    for section in sections:
        yield from _section(documented, section)


def _section(documented: Documented, section: Section, level: str = "###") -> Iterator[str]:
    yield f"{level} {section.heading}"
    if section.schema.get("description"):
        yield section.schema["description"]
    if len(section.places) > 1:
        yield "Also at " + ", ".join(f"`{place}`" for place in section.places[1:]) + "."
    rows = documented.rows(section.schema["properties"], section.schema.get("required", []))
    yield table(COLUMNS, rows) if rows else "It has no further keys."


def _first(model: type) -> str:
    """The first sentence of the module that a class is in, without a full stop."""
    return prose(paragraphs(inspect.getmodule(model))[0]).rstrip(".")


def paragraphs(thing: object) -> list[str]:
    """The paragraphs of a docstring, without its sections on arguments and exceptions."""
    found = (inspect.getdoc(thing) or "").split("\n\n")
    return [part for part in found if not part.startswith(("Args:", "Raises:", "Attributes:"))]


def _word(kinds: set[Any]) -> str:
    return "NUMBER" if int in kinds else "PATH" if Path in kinds else "TEXT"


if __name__ == "__main__":
    format_record.write()
    completions.write()
    gallery.write()
    submission.write_schema(suites.home())
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
