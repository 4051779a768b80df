"""The how-tos, as written: their code goes into a copy of the packages, where their checks must pass."""

import json
import os
import shlex
import shutil
from pathlib import Path

import fresh_processes
import pytest
from page_blocks import blocks

ROOT = Path(__file__).parents[2]
HOW_TO = ROOT / "docs" / "how-to"
COPIED = ("testbed", "topologies", "policies", "studies", "tests")


@pytest.fixture
def copy(tmp_path):
    """The packages and their tests, compiled as they are, without results."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name in COPIED:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("results"))
    return tmp_path


def _change(path: Path, diff: str) -> None:
    """Puts the lines with a plus in the place of those with a minus; the others stand around them."""
    lines = diff.splitlines(keepends=True)
    assert all(line[0] in " +-" for line in lines), diff
    before, after = ("".join(line[1:] for line in lines if line[0] in f" {sign}") for sign in "-+")
    text = path.read_text()
    assert text.count(before) == 1, f"{path.name} has {text.count(before)} times\n{before}"
    path.write_text(text.replace(before, after))


def _run(place: Path, *command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"}
    done = fresh_processes.run(command, cwd=place, env=environment)
    assert done.returncode == 0, f"{shlex.join(command)[:200]}\n{done.stdout}\n{done.stderr}"
    return done.stdout


ADDED = {
    "add-a-behaviour": "drift",
    "add-a-fault": "detour",
    "add-a-link-model": "gumbel",
    "add-a-loss-model": "every",
}
"""A word of each how-to's study file that the reference of study files must know then."""

CHECKS = """
import json, re, sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from studies.cli.console_script import main
from studies.docgen import pages
from studies.spec.json_schema import study_schema

tests, studies, reference = json.loads(sys.argv[1])
schema, known = study_schema(), Path(reference).read_text().splitlines()
new = set(pages.pages()[Path(reference).name].splitlines()) - set(known)
for file, word in studies.items():
    jsonschema.validate(yaml.safe_load(Path(file).read_text()), schema)
    assert any(re.search(rf"\\b{word}\\b", line) for line in new), f"the reference does not know {word}"
    sys.argv[1:] = ["validate", file]
    try:
        main()
    except SystemExit as end:
        assert not end.code, file
for arguments in tests:
    print(*arguments, flush=True)
    assert pytest.main(["-p", "no:cacheprovider", *arguments]) == 0, arguments
"""
"""What extensions must pass, in one process: their tests, and the JSON Schema, the reference and `testbed
validate` of the study files that use them."""


def test_all_how_tos_work_as_written(copy):
    tests, studies, changed = [], {}, set()
    for page in sorted(HOW_TO.glob("*.md")):
        for block in blocks(page):
            if block.language == "sh":
                for line in block.text.replace("\\\n", "").splitlines():
                    program, *arguments = shlex.split(line, comments=True)
                    assert program in ("source", "pytest"), line
                    if program == "pytest":
                        tests.append(arguments)
            elif block.language == "yaml":
                study = copy / f"{page.stem}.yaml"
                study.write_text(block.text)
                studies[study.name] = ADDED[page.stem]
            elif block.language == "diff":
                changed.add(block.file)
                _change(copy / block.file, block.text)
            elif block.language != "toml":  # of another package: see tests/docs/test_own_package.py
                path = copy / block.file
                assert (block.language, path.exists()) == ("python", False), block.file
                path.write_text(block.text)
                changed.add(block.file)
    reference = ROOT / "docs" / "reference" / "study-file.md"
    _run(copy, "-c", CHECKS, json.dumps([tests, studies, str(reference)]))
    modules = sorted(name for name in changed if name.endswith(".py"))
    _run(copy, "-m", "ruff", "check", *modules)
    _run(copy, "-m", "ruff", "format", "--check", *modules)
