"""Study files broken in every way a machine can think of: a line each, exit code 2, nothing written."""

import os
import random
import shutil
from pathlib import Path

import pytest
import yaml

from studies.execution import runner
from studies.spec.builtin import builtin_names
from studies.spec.loading import find

WANTED = int(os.environ.get("MUTATIONS", "200"))
SEED = int(os.environ.get("MUTATION_SEED", "0"))

VALUES = [
    *(
        None,
        True,
        -1,
        0,
        1e400,
        float("nan"),
        10**30,
        3.5,
        "",
        "x",
        "ring",
        "5 parsecs",
        "-3ms",
        "\u2028",
        "\x00",
    ),
    *("yes", "2024-13-45", "1e999999999s", "\u0665", "\x1b[31m", "\u202e", "x" * 9000, 10**99, 1e6),
    *([], {}, [[]], {"a": {}}, [None], ["0-1"], {"name": "ring", "q": 1}, {"gemodel": {}}, [1, "1", 1.0]),
]

KEYS = ["workload", "seed", "agents", "beta", "a.b", "", "a\nb", "\x1b[1m"]


def paths(value, keys=()):
    """Where everything is in nested mappings and lists."""
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, inner in children:
        yield (*keys, key)
        yield from paths(inner, (*keys, key))


def mutated(text, draws):
    """The text with one to three changes to its values, its keys or its letters."""
    data = yaml.safe_load(text)
    if draws.random() < 0.35:
        letters = list(text)
        for _ in range(draws.randint(1, 3)):
            if not letters:
                break
            at = draws.randrange(len(letters))
            match draws.randrange(4):
                case 0:
                    del letters[at:][: draws.randint(1, 30)]
                    del letters[at : at + draws.randint(1, 30)]
                case 1:
                    letters[at] = draws.choice("{}[]:,#&*!|>%@`\t\"'-\x07\ud7ff9")
                case 2:
                    letters.insert(
                        at,
                        draws.choice(
                            [
                                *(
                                    "\n",
                                    "  ",
                                    ": ",
                                    "? ",
                                    "- ",
                                    "\t",
                                    "\r\n",
                                    "\ufeff",
                                    "<<: *none",
                                    "&a [*a]",
                                ),
                                *("!!python/object:os.system ", "!!binary ", "!!set ", "!x ", "%YAML 1.1\n"),
                                *("9" * 5000, "1e400", ".nan", "[" * 99, "x" * 20_000, "\xad", "null: "),
                            ]
                        ),
                    )
                case 3:
                    letters = letters[:at]
        return "".join(letters)
    for _ in range(draws.randint(1, 3)):
        places = list(paths(data))
        if not places:
            break
        *outer, last = draws.choice(places)
        inner = data
        for key in outer:
            inner = inner[key]
        match draws.randrange(4):
            case 0 | 1:
                inner[last] = draws.choice(VALUES)
            case 2 if isinstance(inner, dict):
                inner[f"{last}x"] = inner.pop(last)
            case 2:
                inner.append(inner[last])
            case 3 if isinstance(inner, dict):
                inner[draws.choice(["workload", "seed", "agents", "beta", "a.b", "", "a\nb", "\x1b[1m"])] = (
                    inner[last]
                )
            case 3:
                inner[last] = [inner[last]]
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


@pytest.mark.filterwarnings("error")
def test_malformed_studies_have_a_clear_line_for_each_mistake(call, monkeypatch, tmp_path):
    monkeypatch.setattr(runner, "run", lambda *_, **__: runner.Outcome(0, 0, ()))
    draws, names = random.Random(SEED), builtin_names()
    refused, lines = 0, set()
    for attempt in range(20 * WANTED):
        text = mutated(find(names[attempt % len(names)]).read_text(), draws)
        file = tmp_path / "broken.yaml"
        file.write_text(text, encoding="utf-8")
        code, out, err = call("run", file)
        if code == 0:  # still a study
            shutil.rmtree("runs")
            continue
        context = f"{text}\n---\n{err}"
        assert (code, out) == (2, ""), context
        assert 1 <= err.count("\n") <= 21, context
        # A study that is right, but too large for the memory of this machine, is told by its name.
        begins = ("... and ", "broken: ")
        assert all("broken.yaml" in line or line.startswith(begins) for line in err.splitlines()), context
        assert all(line.isprintable() and len(line) < 1000 for line in err.splitlines()), context
        assert "Traceback" not in err, context
        assert list(Path.cwd().iterdir()) == [], context
        lines.add(err)
        refused += 1
        if refused == WANTED:
            break
    assert refused == WANTED
    assert len(lines) > WANTED / 2  # of many kinds
