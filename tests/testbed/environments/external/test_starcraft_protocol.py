"""The StarCraft adapter with SMAC's and pysc2's own code, against a stand-in for the game.

The stand-in is in `doubles/starcraft2`. Skipped unless SMAC_PYTHON names an interpreter with smac:
`make starcraft-test SMAC_PYTHON=smac-venv/bin/python`. The real game is not here: nothing in this file says
that StarCraft II itself can be played.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from running_processes import gone

from testbed import environments
from testbed.environments.external import child_processes
from testbed.environments.external.starcraft import MAPS, StarCraft
from testbed.environments.external.starcraft_pool import GameError

PYTHON = os.environ.get("SMAC_PYTHON")
pytestmark = pytest.mark.skipif(
    not PYTHON,
    reason="needs SMAC's own code: make starcraft-test SMAC_PYTHON=smac-venv/bin/python (of Python 3.10, with"
    " smac from github.com/oxwhirl/smac)",
)

DOUBLE = Path(__file__).parents[1] / "doubles" / "starcraft2"
ROOT = Path(__file__).parents[4]
SKIRMISH_MAPS = ("2s3z", "3s5z", "10m_vs_11m", "MMM2")
PURE = ("smac", "pysc2", "absl", "portpicker.py", "psutil", "websocket", "s2clientprotocol")
"""What SMAC imports and what both interpreters can: no compiled NumPy of another Python."""


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the game's own, and beside it `site`, with SMAC's packages for this interpreter."""
    folder = tmp_path_factory.mktemp("starcraft2")
    place = "import pathlib, smac; print(pathlib.Path(smac.__file__).parents[1])"
    found = subprocess.run([str(PYTHON), "-c", place], capture_output=True, text=True, check=True)
    packages, site = Path(found.stdout.strip()), folder / "site"
    (site / "google").mkdir(parents=True)
    (site / "google" / "protobuf").symlink_to(packages / "google" / "protobuf")
    for name in PURE:
        (site / name).symlink_to(packages / name)
    (folder / "Maps" / "SMAC_Maps").mkdir(parents=True)
    for name in MAPS:
        (folder / "Maps" / "SMAC_Maps" / f"{name}.SC2Map").touch()
    game = folder / "Versions" / "Base75689" / "SC2_x64"
    game.parent.mkdir(parents=True)
    words = shlex.join([sys.executable, str(DOUBLE / "skirmish_game.py")])
    game.write_text(
        f"#!/bin/sh\nexport STARCRAFT2_DOUBLE_SITE={shlex.quote(str(site))}\n"
        f"export PYTHONPATH={shlex.quote(str(ROOT))}\n"
        f'exec {words} "$@"\n'
    )
    game.chmod(0o755)
    return folder


@pytest.fixture
def log(installation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the stand-in says what happens to it."""
    path = tmp_path / "log"
    path.touch()
    monkeypatch.setenv("SC2PATH", str(installation))
    monkeypatch.setenv("STARCRAFT2_DOUBLE_LOG", str(path))
    monkeypatch.setenv("STARCRAFT2_DOUBLE_SITE", str(installation / "site"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return path


@pytest.fixture
def double(log: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets the stand-in's options for games launched from now on."""

    def options(**chosen: Any) -> None:
        monkeypatch.setenv("STARCRAFT2_DOUBLE", json.dumps(chosen))

    return options


@pytest.fixture
def nothing_left(log: Path) -> Iterator[None]:
    """Fails if a game of the test is alive at its end."""
    yield
    assert clients(log)
    assert gone(clients(log))


def make(batch: int = 1, **options: Any) -> StarCraft:
    env = environments.make("starcraft", batch=batch, python=PYTHON, reward="shared", **options)
    assert isinstance(env, StarCraft)
    return env


def available(env: StarCraft, rng: np.random.Generator) -> np.ndarray:
    """Random available actions, mostly attacks."""
    masks = env._seen["masks"]
    preferences = rng.random(masks.shape)
    preferences[..., 6:] += 1
    return np.argmax(preferences * masks, axis=2)


def play(env: StarCraft, battles: int) -> list[dict[str, float]]:
    """Sums of the components of so many battles of row 0."""
    rng, found = np.random.default_rng(0), []
    sums = dict.fromkeys(env.components, 0.0)
    while len(found) < battles:
        _, _, terminations, truncations, info = env.step(available(env, rng))
        sums = {name: value + float(info[name][0]) for name, value in sums.items()}
        over = (terminations | truncations).all(axis=1)
        if over[0]:
            found.append(sums)
            sums = dict.fromkeys(env.components, 0.0)
        if over.any():
            env.reset(where=over)
    return found


def events(log: Path, kind: str) -> list[list[str]]:
    lines = [line.split() for line in log.read_text().splitlines()]
    return [words for words in lines if words[1] == kind]


def clients(log: Path) -> list[int]:
    return [int(words[0]) for words in events(log, "launch")]


@pytest.mark.parametrize(
    ("kind", "maps", "features"),
    [
        ("states", SKIRMISH_MAPS, 30),
        ("lockstep", SKIRMISH_MAPS, 36),
        ("ends", SKIRMISH_MAPS, 36),
        ("parts", ["2s3z"], 2),
    ],
)
def test_skirmish_and_smac_compute_the_same_of_the_same_units(
    log: Path, kind: str, maps: Sequence[str], features: int
) -> None:
    command = [sys.executable, str(DOUBLE / "comparison.py"), kind, *maps]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    for name in maps:
        rows = found["features"][name]
        assert len(rows) >= features
        assert {feature: row for feature, row in rows.items() if row[2]} == {}
        empty = {feature for feature, row in rows.items() if not row[1]}
        assert empty <= ({"timed out", "battle won"} if kind == "lockstep" else set()), name
    if kind == "ends":
        assert {"won", "lost", "timed out", "draw"} <= found["ends"].keys()


@pytest.mark.usefixtures("nothing_left")
def test_battles_follow_each_other_in_one_client_and_are_recorded(log: Path) -> None:
    with make(batch=2) as env:
        env.reset(0)
        assert env.versions() == {"smac": "1.0.0", "pysc2": "4.0.0", "starcraft": "4.10.0"}
        ended = play(env, 2)
        assert all(battle["breakdowns"] == 0 for battle in ended)
        assert all(0 < battle["team_reward"] <= 20 * 1.5 for battle in ended)
        assert env.replay().startswith(b"MPQ stand-in")
        assert len(clients(log)) == 2
    assert len(events(log, "quit")) == 2


@pytest.mark.usefixtures("nothing_left")
def test_every_option_fits_the_sizes_that_smac_promises(log: Path) -> None:
    options = {
        "difficulty": 3,
        "reward_sparse": True,
        "step_mul": 4,
        **dict.fromkeys(
            ["obs_last_action", "obs_pathing_grid", "obs_terrain_height", "obs_timestep_number"], True
        ),
        **dict.fromkeys(["state_timestep_number"], True),
        "obs_all_health": False,
    }
    with make(options=options) as env, make() as usual:
        env.reset(0)
        assert env.observation_size != usual.observation_size
        assert env.state_size == usual.state_size + 1
        rewards = [battle["team_reward"] for battle in play(env, 1)]
        assert abs(rewards[0]) in (0, pytest.approx(20 / 610, rel=0.5))
    assert events(log, "create")[0][-1] == "3"


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("fault", ["crash", "error"])
@pytest.mark.parametrize(("where", "battle"), [("step", 1), ("debug", 2), ("observation", 3)])
def test_a_lost_game_is_counted_once_and_launched_once(
    log: Path, tmp_path: Path, double: Callable[..., None], fault: str, where: str, battle: int
) -> None:
    # `debug` is asked for only between battles; the first observation of a battle is, too.
    double(fault=fault, **{"in": where}, at=40, battle=battle, once=str(tmp_path / "once"))
    with make() as env:
        observations, _ = env.reset(0)
        ended = play(env, 4)
        observations = env.observations()
    assert sum(each["breakdowns"] for each in ended) == 1
    assert len(clients(log)) == 2
    assert np.abs(observations).sum(axis=2).all()
    seeds = [words[4] for words in events(log, "create")]
    assert len(set(seeds)) == 2
    assert all(each["team_reward"] <= 20 * 1.5 for each in ended)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"dies_at_start": True},
            r"last words were 'SC2_x64: error while loading shared libraries \(stand-in\)'",
        ),
        ({"refuse": True}, r"did not start \(RequestError: .*InvalidMapPath: 'no such map'"),
    ],
)
@pytest.mark.usefixtures("nothing_left")
def test_a_game_that_does_not_start_is_one_line(
    log: Path, double: Callable[..., None], options: dict[str, bool], message: str
) -> None:
    double(**options)
    with make() as env, pytest.raises(GameError, match=message) as caught:
        env.reset(0)
    assert "\n" not in str(caught.value)
    assert len(clients(log)) == (3 if "dies_at_start" in options else 1)


@pytest.mark.usefixtures("nothing_left")
def test_a_stubborn_game_is_ended(double: Callable[..., None]) -> None:
    double(stubborn=True)
    with make() as env:
        env.reset(0)


@pytest.mark.usefixtures("nothing_left")
def test_a_map_that_smac_does_not_know_is_named(log: Path) -> None:
    with pytest.raises(GameError, match=r"map: the smac of .* does not know '2s4z'"):
        make(map="2s4z", map_agents=5, map_limit=9)
    with make() as env:
        env.reset(0)


def test_all_maps_of_smac_are_known_with_their_numbers(log: Path) -> None:
    script = (
        "import json, smac.env.starcraft2.maps.smac_maps as m; print(json.dumps(m.get_smac_map_registry()))"
    )
    found = subprocess.run([str(PYTHON), "-c", script], capture_output=True, text=True, check=True)
    registry = json.loads(found.stdout.splitlines()[-1])
    assert {name: (one["n_agents"], one["limit"]) for name, one in registry.items()} == MAPS


STUDY = """\
workload: training
environment: {{name: starcraft, map: 2s3z, reward: shared, python: {python}}}
algorithm: {{hidden: [8], name: {algorithm}}}
consensus: {{budget: {{activations: 5}}}}
training: {{updates: {updates}, samples: 960, evaluation: {{every: 1, episodes: 10}}}}
"""
CLI = "from studies.cli.console_script import main; main()"


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_study_leaves_no_game_behind(log: Path, tmp_path: Path, number: int) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(STUDY.format(python=PYTHON, algorithm="matrpo", updates=50))
    command = [sys.executable, "-c", CLI, "run", str(file), "--out", str(tmp_path / "out")]
    with (tmp_path / "said").open("wb") as said:
        study = subprocess.Popen(command, stdout=said, stderr=said, cwd=ROOT, start_new_session=True)
        while len(events(log, "battle")) < 8:
            assert study.poll() is None, (tmp_path / "said").read_text()
            time.sleep(0.05)
        study.send_signal(number)
        study.wait()
    assert study.returncode in (130, -signal.SIGKILL)


@pytest.mark.usefixtures("nothing_left")
def test_a_hanging_game_does_not_hold_up_the_end(
    double: Callable[..., None], log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_processes, "PATIENCE", 0.5)
    double(fault="hang", at=40)
    env = make()
    env.reset(0)
    for _ in range(5):
        env.step(available(env, np.random.default_rng(0)))
    process = env._games.children.processes[0]
    child_processes.send(
        process.stdin, {"do": "step"}, {"actions": available(env, np.random.default_rng(0))[0]}
    )
    while not events(log, "hang"):
        time.sleep(0.02)
    env.close()
    assert process.returncode is not None


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("algorithm", ["matrpo", "mappo"])
def test_a_study_trains_with_at_most_eight_games_and_eight_more(
    log: Path, tmp_path: Path, algorithm: str
) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(STUDY.format(python=PYTHON, algorithm=algorithm, updates=2))
    command = [sys.executable, "-c", CLI, "run", str(file), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    (versions,) = (tmp_path / "out" / "trials").glob("*/versions.json")
    found = json.loads(versions.read_text())
    assert (found["smac"], found["pysc2"], found["starcraft"]) == ("1.0.0", "4.0.0", "4.10.0")
    assert len(clients(log)) == 8 + 2 * 8
    now = most = 0
    for line in log.read_text().splitlines():
        now += line.split()[1] == "launch"
        most = max(most, now)
        now -= line.split()[1] == "quit"
    assert (most, now) == (16, 0)
