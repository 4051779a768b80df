"""The example scripts print what stands beside them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.py")))
def test_an_example_prints_what_stands_beside_it(tmp_path, name):
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(EXAMPLES.parents[1]), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    # Progress, with its wall times, may come before.
    assert done.stdout.endswith((EXAMPLES / f"{name}.out").read_text()), done.stdout


def test_every_output_is_of_an_example():
    assert {path.stem for path in EXAMPLES.glob("*.out")} == {path.stem for path in EXAMPLES.glob("*.py")}
