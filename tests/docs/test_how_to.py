"""The how-tos, as written: their code goes into a copy of the packages, where their checks must pass."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOW_TO = ROOT / "docs" / "how-to"
COPIED = ("testbed", "topologies", "policies", "studies", "tests")


@pytest.fixture
def copy(tmp_path):
    """The packages and their tests, without results."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name in COPIED:
        ignored = shutil.ignore_patterns("__pycache__", "results")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    return tmp_path


def _change(path: Path, diff: str) -> None:
    """Puts the lines with a plus in the place of those with a minus; the others stand around them."""
    lines = diff.splitlines(keepends=True)
    assert all(line[0] in " +-" for line in lines), diff
    before, after = ("".join(line[1:] for line in lines if line[0] in f" {sign}") for sign in "-+")
    text = path.read_text()
    assert text.count(before) == 1, f"{path.name} has {text.count(before)} times\n{before}"
    path.write_text(text.replace(before, after))


def _run(place: Path, *command: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, *command], cwd=place, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"


STUDY = """
import sys
from pathlib import Path

import jsonschema
import yaml

from studies.cli.console_script import main
from studies.docgen import pages
from studies.spec.json_schema import study_schema

file, reference = map(Path, sys.argv[1:])
jsonschema.validate(yaml.safe_load(file.read_text()), study_schema())
assert pages.pages()[reference.name] != reference.read_text(), "the reference does not know what was added"
sys.argv[1:] = ["validate", str(file)]
main()
"""
"""What a study file that uses an extension must pass: the JSON Schema and `testbed validate`."""


@pytest.mark.parametrize("name", sorted(path.stem for path in HOW_TO.glob("*.md")))
def test_a_how_to_works_as_written(shown, copy, name):
    changed = set()
    for block in shown(HOW_TO / f"{name}.md"):
        if block.language == "sh":
            for line in block.text.replace("\\\n", "").splitlines():
                program, *arguments = shlex.split(line, comments=True)
                if program == "source":
                    continue
                assert program == "pytest", line
                _run(copy, "-m", "pytest", "-p", "no:cacheprovider", *arguments)
            continue
        if block.language == "toml":  # of another package: see tests/testbed/network/test_extending.py
            continue
        if block.language == "yaml":
            (copy / "study.yaml").write_text(block.text)
            _run(copy, "-c", STUDY, "study.yaml", str(ROOT / "docs" / "reference" / "study-file.md"))
            continue
        path = copy / block.file
        changed.add(block.file)
        if block.language == "diff":
            _change(path, block.text)
        else:
            assert (block.language, path.exists()) == ("python", False), block.file
            path.write_text(block.text)
    modules = sorted(name for name in changed if name.endswith(".py"))
    _run(copy, "-m", "ruff", "check", *modules)
    _run(copy, "-m", "ruff", "format", "--check", *modules)
