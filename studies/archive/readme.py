"""The README.md of an archive: what it is, what each file holds, and how to make it again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from studies import text
from studies.markup import markdown_table, markdown_text
from studies.report import provenance
from studies.spec.manifest import StoredStudy, described
from studies.storage.provenance import OWN

STUDY = "study.yaml"

MEANINGS = {
    f"study/{STUDY}": "the study as it was run, with the quick form and `--set` applied",
    "summary.csv": "one row per finished trial: hash, varied settings, seed, final numbers (12 digits)",
    "summary.parquet": "the same, with the exact numbers",
    "statistics.csv": "each condition over its seeds, and how conditions compare",
    "reach.csv": "cost to reach each threshold of the study, by trial",
    "trials.csv": "every trial: number, hash, varied settings, seed, and whether it has finished",
    "versions.json": "versions of Python, the libraries and the testbed, and its commit",
    "baselines.json": "returns of policies without learning, for the lines in the figures",
    "report.html": "all results as one page, which opens from disk",
    "curves/consensus.parquet": "progress of consensus runs, for all trials",
    "curves/training.parquet": "one row per update, for all trials",
    "tables/traffic.parquet": "traffic in each direction of each link, for all trials",
    "tables/faults.parquet": "effect of each fault, for all trials",
    "SHA256SUMS": "checksums: `sha256sum --check SHA256SUMS`",
}
"""File -> its contents, in Markdown."""


def readme(
    study: StoredStudy, made_by: provenance.Provenance, table: str, files: Sequence[Path], place: Path
) -> str:
    """The text of the file.

    Args:
        study: the study.
        made_by: states and versions of its trials.
        table: the conditions with the main metrics, in Markdown.
        files: all other files, except for the checksums.
        place: the folder they are in.
    """
    names = [file.relative_to(place).as_posix() for file in files]
    seeds = sorted({trial.seed for trial in study.trials})
    parts = [
        f"# Results of the study {markdown_text(text.label(study.name))}",
        f"{markdown_text(described(study))}. {provenance.progress(made_by)}",
        f"Seeds: {', '.join(map(str, seeds))}.",
        table.rstrip("\n"),
        "## Files",
        _files(names),
        "The meaning of each column is on the page *Columns of the tables* of the testbed's documentation.",
        "## How to reproduce it",
        *_again(made_by),
        "```sh\n"
        f"testbed run study/{STUDY} --out again\n"
        "testbed report again\n"
        "cmp again/summary.csv summary.csv\n"
        "```",
        "With the same versions on the same kind of machine, the last command finds no difference.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _files(names: Sequence[str]) -> str:
    rows = [(f"`{name}`", MEANINGS[name]) for name in [*MEANINGS] if name in [*names, "SHA256SUMS"]]
    others = [name for name in names if name not in MEANINGS]
    if any(name.startswith("figures/") for name in others):
        rows.append(("`figures/`", "figures as PNG and SVG"))
    if any(name.startswith("study/") for name in others):
        rows.append(("`study/`", "also holds the files that the study names, as the trials read them"))
    return "\n".join(
        ["| file | content |", "| --- | --- |", *(f"| {one} | {other} |" for one, other in rows)]
    )


def _again(made_by: provenance.Provenance) -> list[str]:
    """Which code made the results: versions that all trials share, and the others."""
    names = list(dict.fromkeys(name for versions, _ in made_by.versions for name in versions))
    names = [*(name for name in OWN if name in names), *(name for name in names if name not in OWN)]
    rows = [(name, *(versions.get(name, "") for versions, _ in made_by.versions)) for name in names]
    counts = [f"{count} trials" if count != 1 else "1 trial" for _, count in made_by.versions]
    said = "Install this version of the testbed, at this commit if there is one, with these libraries:"
    if len(counts) > 1:
        said = f"{len(counts)} versions of the code made the trials. {said}"
    return [said, markdown_table(["", *counts], rows, left=len(counts) + 1).rstrip("\n")]
