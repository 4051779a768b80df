"""The StarCraft adapter against a stand-in for SMAC that holds it to SMAC's contract; see `doubles/smac`.

The real game is not here: nothing in this file says that StarCraft II itself can be played.
"""

import ast
import errno
import gc
import importlib.util
import io
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from pettingzoo.test import parallel_api_test, parallel_seed_test
from running_processes import alive, gone

from testbed import environments
from testbed.environments.action_masks import replace_unavailable
from testbed.environments.external import child_processes, starcraft_child
from testbed.environments.external.starcraft import MAPS, StarCraft
from testbed.environments.external.starcraft_pool import GameError
from testbed.training.rollout import Collector

DOUBLES = Path(__file__).parents[1] / "doubles"
TINY: dict[str, Any] = {"map": "tiny", "map_agents": 2, "map_limit": 6}


def interpreter(folder: Path, double: str | None) -> str:
    """A Python that has the packages of one of the doubles, or no smac at all."""
    script = folder / f"python-with-{double}"
    path = shlex.quote(str(DOUBLES / double)) if double else ""
    script.write_text(f'#!/bin/sh\nPYTHONPATH={path} exec {shlex.quote(sys.executable)} "$@"\n')
    script.chmod(0o755)
    return str(script)


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the double says what it launches and closes."""
    path = tmp_path / "log"
    path.touch()
    monkeypatch.setenv("SMAC_DOUBLE_LOG", str(path))
    return path


@pytest.fixture
def python(tmp_path: Path, log: Path) -> str:
    return interpreter(tmp_path, "smac")


def make(python: str, batch: int = 1, **options: Any) -> StarCraft:
    env = environments.make("starcraft", batch=batch, python=python, **{**TINY, **options})
    assert isinstance(env, StarCraft)
    return env


def load_double() -> ModuleType:
    spec = importlib.util.spec_from_file_location("smac_double", DOUBLES / "smac" / "smac/env/__init__.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def available(env: StarCraft, rng: np.random.Generator) -> np.ndarray:
    """Uniformly random available actions."""
    masks = env._seen["masks"]
    return np.argmax(rng.random(masks.shape) * masks, axis=2)


def events(log: Path) -> list[list[str]]:
    return [line.split() for line in log.read_text().splitlines()]


def clients(log: Path) -> list[int]:
    return [int(words[1]) for words in events(log) if words[0] == "launch"]


@pytest.mark.parametrize("reward", ["paper", "shared"])
def test_every_number_is_that_of_smac(python: str, log: Path, reward: str) -> None:
    rng = np.random.default_rng(0)
    with make(python, batch=3, reward=reward, map="2s3z", map_agents=None, map_limit=None) as env:
        observations, info = env.reset(7)
        seeds = np.random.default_rng(7).integers(2**31, size=3)
        originals = [load_double().StarCraft2Env("2s3z", seed=int(seed)) for seed in seeds]
        for original in originals:
            original._launch = lambda original=original: setattr(
                original, "rng", np.random.default_rng(original.seed)
            )
            original.reset()
        assert observations.shape == (3, 5, 80)
        ended = 0
        dead = np.zeros((2, 3))
        while ended < 6:
            for row, original in enumerate(originals):
                assert np.array_equal(observations[row], original.get_obs())
                assert np.array_equal(info["action_masks"][row], original.get_avail_actions())
                assert np.array_equal(env.global_state()[row], original.get_state())
            actions = available(env, rng)
            observations, rewards, terminations, truncations, info = env.step(actions)
            over = np.zeros(3, dtype=bool)
            for row, original in enumerate(originals):
                paid, over[row], said = original.step(actions[row].tolist())
                assert rewards[row].tolist() == [paid] + [paid if reward == "shared" else 0.0] * 4
                assert info["team_reward"][row] == paid
                assert info["battle_won"][row] == said["battle_won"]
                dead[:, row] += info["dead_allies"][row], info["dead_enemies"][row]
                assert dead[:, row].tolist() == [said["dead_allies"], said["dead_enemies"]]
            assert np.array_equal(terminations, np.repeat(over[:, None], 5, axis=1))
            assert not truncations.any()
            ended += over.sum()
            dead[:, over] = 0
            observations, masks = env.reset(where=over)
            info |= masks
            for original, done in zip(originals, over, strict=True):
                if done:
                    original.reset()
    assert len(clients(log)) == 3


def test_running_out_of_time_is_a_truncation(python: str) -> None:
    with make(python, batch=1) as env:
        env.reset(3)
        for step in range(1, 7):  # nobody attacks; this seed's enemies do not win in time
            masks = env.masks()["action_masks"][0]
            _, _, terminations, truncations, info = env.step([[0 if mask[0] else 1 for mask in masks]])
            assert not terminations.any()
            assert truncations.all() == truncations.any() == (step == 6)
        assert info["battle_won"].tolist() == [0]
        with pytest.raises(RuntimeError, match="1 of 1 episodes are over"):
            env.step([[1, 1]])


def test_an_unavailable_action_is_an_error_and_changes_nothing(python: str) -> None:
    with make(python) as env:
        env.reset(0)
        before = env.observations()
        with pytest.raises(ValueError, match=r"actions: got 0 for agent 0 in row 0, must be one of 1, .*\d$"):
            env.step([[0, 1]])
        with pytest.raises(ValueError, match="actions: got 8 for agent 1 in row 0, must be from 0 to 7"):
            env.step([[1, 8]])
        assert np.array_equal(env.observations(), before)
        env.step([[1, 1]])


def test_or_it_is_replaced_by_an_available_one_all_equally_likely(python: str) -> None:
    with make(python, unavailable="random") as env:
        assert list(env.reset(0)[1]) == ["active"]
        allowed = np.flatnonzero(env._seen["masks"][0, 0])
        assert 0 not in allowed
        masks, generator = env._seen["masks"], np.random.default_rng(1)
        many = [replace_unavailable(np.array([[0, 1]]), masks, generator)[0] for _ in range(2000)]
        assert {row[1] for row in many} == {1}
        counts = np.bincount([row[0] for row in many], minlength=8)
        assert np.flatnonzero(counts).tolist() == allowed.tolist()
        expected = 2000 / allowed.size
        assert (np.square(counts[allowed] - expected) / expected).sum() < 25  # chi-square, far in the tail
        assert env.step([[0, 0]])[4].keys() == {*env.components, "active"}


def test_a_new_seed_launches_the_games_anew_and_a_reset_without_one_does_not(python: str, log: Path) -> None:
    def battle(env: StarCraft) -> None:
        rng = np.random.default_rng(0)
        while not env._finished.all():
            env.step(available(env, rng))

    with make(python) as env:
        first = env.reset(5)[0]
        battle(env)
        second = env.reset()[0]
        assert len(clients(log)) == 1
        assert np.array_equal(env.reset(5)[0], first)
        battle(env)
        assert np.array_equal(env.reset()[0], second)
        assert len(clients(log)) == 2
        assert not alive(clients(log)[0])
        seed = np.random.default_rng(5).integers(2**31, size=1)[0]
        assert [words[3] for words in events(log) if words[0] == "launch"] == [str(seed)] * 2


def test_leaving_the_first_battle_early_forgets_no_client(python: str, log: Path) -> None:
    with make(python, batch=2) as env:
        env.reset(0)
        env.step(available(env, np.random.default_rng(0)))
        env.reset(where=[True, False])
        assert len(clients(log)) == 3
        assert [alive(client) for client in clients(log)].count(False) == 1
    assert gone(clients(log))


@pytest.mark.parametrize("episodes", [0, 2])
def test_a_client_that_breaks_down_truncates_its_battle_and_is_counted(
    python: str, log: Path, monkeypatch: pytest.MonkeyPatch, episodes: int
) -> None:
    monkeypatch.setenv("SMAC_DOUBLE_FAULT", f"breakdown {episodes}")
    with make(python) as env:
        env.reset(0)
        broken = dead = dead_before = 0
        for _ in range(40):
            _, rewards, terminations, truncations, info = env.step(
                env.action_size - 1 - env._seen["masks"][..., ::-1].argmax(axis=2)
            )
            dead += info["dead_allies"][0] + info["dead_enemies"][0]
            if info["breakdowns"][0]:
                broken += 1
                dead_before += dead
                assert truncations.all()
                assert not terminations.any()
                assert not rewards.any()
                assert info["dead_allies"].tolist() == info["dead_enemies"].tolist() == [0]
            dead *= not env._finished[0]
            env.reset(where=env._finished)
    assert broken >= 2
    assert dead_before > 0  # and yet none is said to have died, or risen, when the client broke down
    assert broken == sum(words[0] == "breakdown" for words in events(log))
    assert gone(clients(log))


def test_every_game_is_closed_once_and_no_process_is_left(python: str, log: Path) -> None:
    env = make(python, batch=3)
    env.reset(0)
    processes = [process.pid for process in env._games.children.processes] + clients(log)
    assert len(processes) == 6
    assert all(map(alive, processes))
    env.close()
    env.close()
    assert sorted(words[1] for words in events(log) if words[0] == "close") == sorted(map(str, clients(log)))
    assert gone(processes)
    with pytest.raises(GameError, match="starcraft: game 0 of 3: this and all others have been closed"):
        env.reset()


def test_no_process_is_left_by_forgetting(python: str, log: Path) -> None:
    env = make(python)
    env.reset(0)
    processes = [process.pid for process in env._games.children.processes] + clients(log)
    del env
    gc.collect()
    assert gone(processes)


def test_no_process_is_left_when_the_parent_is_killed(python: str, log: Path) -> None:
    script = f"""import sys
from testbed import environments
env = environments.make("starcraft", python={python!r}, **{TINY!r})
env.reset(0)
print(env._games.children.processes[0].pid, flush=True)
sys.stdin.read()"""
    parent = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    processes = [int(parent.stdout.readline()), *clients(log)]
    assert len(processes) == 2
    assert all(map(alive, processes))
    parent.kill()
    parent.communicate()
    assert gone(processes)


def test_a_game_that_does_not_close_is_ended_with_its_client(
    python: str, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_processes, "PATIENCE", 0.3)
    monkeypatch.setenv("SMAC_DOUBLE_FAULT", "stuck")
    env = make(python)
    env.reset(0)
    processes = [env._games.children.processes[0].pid, *clients(log)]
    assert all(map(alive, processes))
    env.close()
    assert gone(processes)


def test_a_game_that_dies_is_named_with_its_last_words_and_all_are_ended(
    python: str, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMAC_DOUBLE_FAULT", "exit")
    env = make(python, batch=2)
    env.reset(0)
    rng = np.random.default_rng(0)
    env.step(available(env, rng))
    message = r"game 0 of 2 died \(exit code 9\); its last output was 'Segmentation fault \(not really\)'"
    with pytest.raises(GameError, match=message) as caught:
        env.step(available(env, rng))
    assert "\n" not in str(caught.value)
    assert gone([process.pid for process in env._games.children.processes])
    assert gone(clients(log))


@pytest.mark.parametrize(
    ("double", "message"),
    [
        (None, r"game 0 of 1: .*/python-with-None has no package smac; install it .*oxwhirl/smac.git"),
        ("automl", "is not the StarCraft Multi-Agent Challenge, .*AutoML's hyper-parameter optimiser"),
        ("broken", r"cannot import smac \(ModuleNotFoundError: No module named 'pysc2_that_is_not_inst"),
    ],
)
def test_a_missing_smac_is_told_from_the_wrong_one(tmp_path: Path, double: str | None, message: str) -> None:
    with pytest.raises(GameError, match=message) as caught:
        make(interpreter(tmp_path, double))
    assert "\n" not in str(caught.value)


def test_a_missing_game_is_said_with_what_to_install(python: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMAC_DOUBLE_FAULT", "no game")
    with (
        make(python) as env,
        pytest.raises(GameError, match=r"did not start \(SC2LaunchError: .*SC2PATH says, with SMAC_Maps of"),
    ):
        env.reset()


def test_a_map_with_other_numbers_than_expected_is_refused(python: str) -> None:
    said = r"MMM2 has 9 agents and 180 steps in the smac of .*, expected 10 and 180"
    with pytest.raises(GameError, match=said):
        make(python, map="MMM2", map_agents=None, map_limit=None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"map": "2s4z"},
            "starcraft: map: got '2s4z', must be one of 2s3z, .*needs map_agents and map_limit; did",
        ),
        ({"map": "2s3z", "map_limit": 9}, "2s3z is a known map: leave out map_agents and map_lim"),
        ({"map": "mine", "map_limit": 9}, "map: got 'mine', .*another map needs map_agents and map_limit"),
        ({"unavailable": "msk"}, "unavailable: got 'msk', .*did you mean 'mask'?"),
        ({"episode_length": 9}, "unknown option 'episode_length', allowed: "),
    ],
)
def test_wrong_settings_are_refused_in_one_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        environments.settings("starcraft", **options)
    assert "\n" not in str(caught.value)


def test_an_interpreter_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"python: got '.*', which cannot be run \(No such file"):
        make(str(tmp_path / "nothing"))


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo activating the environment", "printed text that begins with 'acti'"),
        ("exec cat", "repeats requests"),
        ("exit 3", r"died \(exit code 3\)"),
        ("echo no numpy >&2; exit 1", "its last output was 'no numpy'"),
    ],
)
def test_an_interpreter_that_does_not_run_the_game_is_refused_with_a_remedy(
    tmp_path: Path, script: str, message: str
) -> None:
    file = tmp_path / "python"
    file.write_text(f'#!/bin/sh\n{script}\nexec {sys.executable} "$@"\n')
    file.chmod(0o755)
    with pytest.raises(
        GameError, match=rf"game 0 of .*{message}.*; python: {file} must have smac: "
    ) as caught:
        make(str(file))
    assert "\n" not in str(caught.value)


def test_too_many_games_for_the_system_are_no_fault_of_the_interpreter(
    python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(subprocess, "Popen", full)
    with pytest.raises(GameError, match=r"2 games cannot be started at once \(Too many open files\): reduce"):
        make(python, batch=2)


def test_there_is_no_replay_of_a_battle_whose_client_was_lost() -> None:
    game = object.__new__(starcraft_child.Game)
    game.client = None
    with pytest.raises(starcraft_child.Refusal, match="lost in the last battle"):
        game.replay()


def test_the_numbers_of_the_papers_maps_are_known_without_a_game() -> None:
    found = {name: environments.settings("starcraft", map=name) for name in MAPS}
    assert [(found[name].agents, found[name].episode_length) for name in list(MAPS)[:4]] == [
        (5, 120),
        (8, 150),
        (10, 150),
        (10, 180),
    ]
    mine = environments.settings("starcraft", map="mine", map_agents=4, map_limit=70)
    assert (mine.agents, mine.episode_length) == (4, 70)


def test_the_state_cannot_be_read_or_set_and_there_are_no_pictures(python: str) -> None:
    with make(python) as env:
        env.reset(0)
        assert not env.saves_state
        with pytest.raises(RuntimeError, match=r"cannot be saved or restored; .*not the run that was interr"):
            _ = env.state
        with pytest.raises(RuntimeError, match="cannot be saved or restored"):
            env.state = {}
        with pytest.raises(RuntimeError, match="no pictures"):
            env.render()


class Random:
    def act(self, observations: Any, masks: Any, generator: Any) -> np.ndarray:
        return np.argmax(generator.random(masks.shape) * masks, axis=2)


def test_a_resumed_collector_says_that_it_starts_new_battles(python: str, log: Path) -> None:
    rng = np.random.default_rng(0)
    with make(python, batch=2) as env, make(python, batch=2) as another:
        collector = Collector(env, seed=1)
        assert collector.collect(Random(), 4, rng)[1]["resumptions"] == 0
        state = collector.state_dict()
        resumed = Collector(another, seed=9)
        with pytest.warns(
            RuntimeWarning, match="starcraft: its state cannot be saved, so resuming starts ne"
        ):
            resumed.load_state_dict(state)
        assert another.state_size == 5
        assert not any(sums.any() for sums in resumed.running.values())
        assert another._t.tolist() == [0, 0]
        assert another.rng_state["state"] != env.rng_state["state"]  # the next seeds have been drawn
        _, means = resumed.collect(Random(), 12, rng)
        assert means["episodes"] >= 2
        assert means["resumptions"] == 1
        again = Collector(another, seed=9)
        with pytest.warns(RuntimeWarning, match="its state cannot be saved"):
            again.load_state_dict(resumed.state_dict())
        assert again.resumptions == 2


def test_it_passes_pettingzoos_own_tests(python: str) -> None:
    def face() -> Any:
        return environments.parallel("starcraft", python=python, unavailable="random", **TINY)

    once = face()
    parallel_api_test(once, num_cycles=20)
    once.close()
    parallel_seed_test(face)


def test_messages_arrive_as_they_were_sent() -> None:
    stream = io.BytesIO()
    arrays = {
        "a": np.arange(6, dtype="<f4").reshape(2, 3),
        "b": np.array([True, False]),
        "none": np.zeros((0, 4)),
    }
    starcraft_child.send(stream, {"x": 0.1, "ü": [1, None]}, arrays)
    starcraft_child.send(stream, {})
    stream.seek(0)
    fields, received = starcraft_child.receive(stream)
    assert fields == {"x": 0.1, "ü": [1, None]}
    assert list(received) == list(arrays)
    for name, array in arrays.items():
        assert received[name].dtype == array.dtype
        assert np.array_equal(received[name], array)
    assert starcraft_child.receive(stream) == ({}, {})
    with pytest.raises(EOFError):
        starcraft_child.receive(stream)


def test_the_child_runs_on_old_pythons_and_imports_nothing_of_ours() -> None:
    source = Path(starcraft_child.__file__).read_text()
    tree = ast.parse(source, feature_version=(3, 8))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [n.name for n in node.names])
    }
    assert imported <= {*sys.stdlib_module_names, "numpy", "smac"}
    assert not re.search(r"pickle|eval\(|exec\(", source)


@pytest.mark.parametrize("fault", ["lost", "emptied"])
def test_a_client_lost_between_battles_is_noticed_and_counted_once(
    python: str, log: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setenv("SMAC_DOUBLE_FAULT", f"{fault} 2")
    rng = np.random.default_rng(0)
    with make(python) as env:
        env.reset(0)
        broken, starts = 0, [env.observations()]
        while len(starts) < 4:
            masks = env._seen["masks"]
            assert (env.observations().any(axis=2) == ~masks[..., 0]).all()
            _, rewards, terminations, truncations, info = env.step(available(env, rng))
            assert rewards.sum() != 14.4
            broken += info["breakdowns"][0]
            over = (terminations | truncations).all(axis=1)
            if over.any():
                starts.append(env.reset(where=over)[0])
    assert broken == 1
    assert len({start.tobytes() for start in starts}) == len(starts)  # no battle is played twice
    assert len(clients(log)) == 2
    seeds = [words[3] for words in events(log) if words[0] == "launch"]
    assert seeds[0] != seeds[1]
    assert gone(clients(log))


@pytest.mark.parametrize("episodes", [0, 2])
def test_a_breakdown_launches_one_client_and_no_second(
    python: str, log: Path, monkeypatch: pytest.MonkeyPatch, episodes: int
) -> None:
    monkeypatch.setenv("SMAC_DOUBLE_FAULT", f"breakdown {episodes}")
    rng = np.random.default_rng(1)
    with make(python, map="2s3z", map_agents=None, map_limit=None) as env:
        env.reset(0)
        for _ in range(60):
            *_, info = env.step(available(env, rng))
            if info["breakdowns"][0]:
                break
            env.reset(where=env._finished)
        assert info["breakdowns"][0] == 1
        env.reset(where=env._finished)
        assert len(clients(log)) == 2
    assert gone(clients(log))


def test_a_taken_port_is_tried_again(python: str, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMAC_DOUBLE_FAULT", "port taken 2")
    with make(python, batch=6) as env:
        env.reset(0)
        assert len(clients(log)) == 6
        assert [words[0] for words in events(log)].count("failed") == 12
    monkeypatch.setenv("SMAC_DOUBLE_FAULT", "port taken 3")
    with (
        make(python) as env,
        pytest.raises(GameError, match=r"did not start \(ConnectError: Failed to connect to the SC2 webs"),
    ):
        env.reset(0)


def test_a_game_that_dies_at_its_start_is_shown_with_its_own_last_words(
    python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMAC_DOUBLE_FAULT", "dies at start 9")
    words = "its last words were 'SC2_x64: error while loading shared libraries: libsome.so'"
    with make(python) as env, pytest.raises(GameError, match=words) as caught:
        env.reset(0)
    assert "\n" not in str(caught.value)


def test_games_are_launched_in_small_groups(python: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with make(python, batch=6) as env:
        groups = []
        ask = env._games.children.ask
        monkeypatch.setattr(
            env._games.children, "ask", lambda asked: groups.append(list(asked)) or ask(asked)
        )
        env.reset(0)
        assert groups == [[0, 1, 2, 3], [4, 5]]
        assert env.versions()["starcraft"] == "4.10.0"


def test_a_map_that_smac_does_not_know_is_named(python: str) -> None:
    with pytest.raises(GameError, match=r"map: the smac of .*python-with-smac does not know '2s4z'"):
        make(python, map="2s4z")


def test_options_reach_smac_and_only_those_that_were_set(python: str, log: Path) -> None:
    with make(python, options={"difficulty": 3, "reward_sparse": True, "step_mul": 8}):
        assert events(log)[0] == ["options", "{'difficulty':", "'3',", "'reward_sparse':", "True}"]
    with pytest.raises(ValueError, match=r"starcraft: options\.difficulty: got 'B', must be"):
        environments.settings("starcraft", options={"difficulty": "B"})
    with pytest.raises(GameError, match="TypeError: unexpected keyword argument 'move_amount'"):
        make(python, options={"move_amount": 3})


def test_the_interpreter_is_no_part_of_a_trials_name_and_the_number_of_games_is() -> None:
    def name(**options: Any) -> Any:
        return environments.settings("starcraft", **options).meaning()

    assert name(python="/one") == name(python="/other") == name()
    assert name()["games"] == 8
    assert name(games=4) != name()
    assert name(options={"difficulty": "5"}) != name()
    assert name(options={"difficulty": 7}) == name()


def test_the_replay_is_smacs_own(python: str) -> None:
    with make(python) as env:
        env.reset(0)
        rng = np.random.default_rng(0)
        while not env._finished[0]:
            env.step(available(env, rng))
        assert env.replay() == b"replay of 1 battles"


def test_an_evaluation_of_many_episodes_needs_few_games(python: str, log: Path) -> None:
    with make(python, batch=2) as env:
        means = Collector(env, 0).finish(Random(), np.random.default_rng(0), episodes=5)
        assert len(clients(log)) == 2
    assert (means["return_battle_won"] * 5) % 1 == pytest.approx(0)
    assert means["return_breakdowns"] == 0


def test_a_resumed_run_launches_every_game_once_and_tells_another_version(
    python: str, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    with make(python, batch=2) as env:
        collector = Collector(env, seed=1)
        assert clients(log) == []
        collector.collect(Random(), 3, rng)
        state = collector.state_dict()
    monkeypatch.setenv("SMAC_DOUBLE_GAME", "4.10.1")
    with make(python, batch=2) as env:
        resumed = Collector(env, seed=1)
        with pytest.warns(RuntimeWarning) as warned:
            resumed.load_state_dict(state)
        assert len(clients(log)) == 4
        told = "starcraft: the run is resumed with starcraft 4.10.1 instead of 4.10.0"
        assert told in [str(one.message) for one in warned]
        assert resumed.played_by()["starcraft"] == "4.10.0, 4.10.1"
