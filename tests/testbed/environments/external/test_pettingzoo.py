"""PettingZoo worlds behind the batched interface: the original stepped side by side, and small hard cases."""

import gc
import importlib
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from numpy.typing import NDArray
from pettingzoo.test import parallel_api_test, parallel_seed_test
from running_processes import alive, gone

from policies.batch import Batch
from testbed import environments, workloads
from testbed.common import checkpoints
from testbed.common.errors import WorldError
from testbed.environments.external import child_processes, pettingzoo_loading
from testbed.environments.external.pettingzoo import PettingZooSettings, PettingZooWorlds
from testbed.environments.external.worker_pool import Workers
from testbed.training.learners import LEARNERS
from testbed.training.rollout import Collector

SPREAD: dict[str, Any] = {"pettingzoo": "mpe2.simple_spread_v3", "kwargs": {"N": 3, "max_cycles": 6}}
TREASURE: dict[str, Any] = {"pettingzoo": "mpe2.collect_treasure_v1", "kwargs": {"max_cycles": 6}}
SMALL: dict[str, Any] = {"pettingzoo": "small_worlds", "episode_length": 6}


@pytest.fixture(autouse=True)
def _small_worlds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The modules in `doubles/worlds` can be imported, here and in the workers."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "doubles" / "worlds")


def make(batch: int = 2, **options: Any) -> PettingZooWorlds:
    env = environments.make("pettingzoo", batch=batch, **options)
    assert isinstance(env, PettingZooWorlds)
    return env


def small(world: str = "World", batch: int = 1, workers: int = 0, **kwargs: Any) -> PettingZooWorlds:
    return make(batch, pettingzoo=f"small_worlds:{world}", kwargs=kwargs, episode_length=6, workers=workers)


def random_actions(env: PettingZooWorlds, rng: np.random.Generator) -> NDArray[np.int64]:
    return rng.integers(0, env.action_sizes, (env.batch, env.agents))


def played(env: PettingZooWorlds, steps: int, seed: int = 0) -> list[NDArray[Any]]:
    """Everything the environment says while it is played at random; ended rows start again."""
    rng = np.random.default_rng(seed)
    said: list[NDArray[Any]] = [env.reset(seed)[0]]
    for _ in range(steps):
        *arrays, info = env.step(random_actions(env, rng))
        said += [np.asarray(array) for array in arrays] + list(info.values())
        over = np.all(arrays[2] | arrays[3], axis=1)
        if over.any():
            said.append(env.reset(where=over)[0])
    return said


def equal(a: list[NDArray[Any]], b: list[NDArray[Any]]) -> bool:
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize(("world", "workers"), [(SPREAD, 0), (SPREAD, 1), (SPREAD, 3), (TREASURE, 0)])
def test_every_number_is_that_of_the_original_world(world: dict[str, Any], workers: int) -> None:
    original = importlib.import_module(world["pettingzoo"]).parallel_env
    rng = np.random.default_rng(1)
    with make(4, workers=workers, **world) as env:
        observations, info = env.reset(5)
        seeds = np.random.default_rng(5).integers(2**31, size=4)
        assert env.state["seeds"].tolist() == seeds.tolist()
        assert list(info) == ["active"]
        assert info["active"].all()
        originals = [original(**world["kwargs"]) for _ in range(4)]
        seen = [w.reset(seed=int(s))[0] for w, s in zip(originals, seeds, strict=True)]
        for step in range(6):
            for row, w in enumerate(originals):
                for index, agent in enumerate(w.possible_agents):
                    size = env.observation_sizes[index]
                    assert np.array_equal(observations[row, index, :size], seen[row][agent])
                    assert not observations[row, index, size:].any()
            actions = random_actions(env, rng)
            observations, rewards, terminations, truncations, info = env.step(actions)
            assert (observations.dtype, rewards.dtype) == (np.float32, np.float64)
            for row, w in enumerate(originals):
                names = w.possible_agents
                seen[row], paid, ended, cut, _ = w.step(dict(zip(names, actions[row].tolist(), strict=True)))
                assert rewards[row].tolist() == [paid[agent] for agent in names]
                assert terminations[row].tolist() == [ended[agent] for agent in names]
                assert truncations[row].tolist() == [cut[agent] for agent in names]
            assert truncations.all() == (step == 5)
        with pytest.raises(RuntimeError, match="4 of 4 episodes are over"):
            env.step(actions)


def test_the_number_of_workers_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    # As in the worker process of a study, from where multiprocessing would start no other.
    process: Any = multiprocessing.current_process()
    monkeypatch.setitem(process._config, "daemon", True)
    for batch, workers in ((3, 2), (1, 9)):  # unequal shares; more workers than rows
        here = played(small(batch=batch, deaths=True, masks="dict"), steps=17)
        with small(batch=batch, workers=workers, deaths=True, masks="dict") as env:
            assert equal(played(env, steps=17), here)


def test_sizes_are_found_in_the_spaces() -> None:
    settings = environments.settings("pettingzoo", **TREASURE)
    assert (settings.agents, settings.episode_length) == (8, 6)
    env = make(**TREASURE)
    assert env.observation_sizes == (86,) * 6 + (84,) * 2
    assert env.action_sizes == (5,) * 8
    assert env.masks() == {}
    uneven = small()
    assert (uneven.observation_sizes, uneven.action_sizes) == ((1, 2, 3), (2, 3, 4))


def test_null_length_is_the_worlds_own_limit_and_a_number_cuts_from_outside() -> None:
    counting = {"pettingzoo": "small_worlds:Counting"}
    assert environments.settings("pettingzoo", **counting).episode_length == 4
    assert environments.settings("pettingzoo", episode_length=None, **counting).episode_length == 4
    env = make(1, episode_length=2, **counting)
    env.reset(0)
    assert not env.step([[0, 0, 0]])[3].any()
    _, _, terminations, truncations, _ = env.step([[0, 0, 0]])
    assert truncations.all()
    assert not terminations.any()


@pytest.mark.parametrize("masks", ["none", "info", "dict"])
def test_agents_that_are_over_stay_so_while_the_others_go_on(masks: str) -> None:
    env = small(deaths=True, masks=masks)
    env.reset(0)
    over = []
    for step in range(1, 6):
        mask = env.masks()["action_masks"]
        actions = mask.argmax(axis=2)
        actions[:, [index in over for index in range(3)]] = 1  # whatever is played for them is ignored
        observations, rewards, terminations, truncations, info = env.step(actions)
        going = 3 - len(over)
        for agent in over:
            assert not observations[0, agent].any()
            assert rewards[0, agent] == 0.0
        if 2 not in over:
            assert rewards[0, 2] == actions[0, 2] + 5 + going
        over = np.flatnonzero(terminations[0] | truncations[0]).tolist()
        assert over == {1: [], 2: [0], 3: [0, 1], 4: [0, 1], 5: [0, 1, 2]}[step]
        assert observations[0, 2].all()
        for agent in range(3):
            size = env.action_sizes[agent]
            expected = np.zeros(4, dtype=bool)
            if agent in over:
                expected[0] = True
            else:
                expected[:size] = True
                if masks != "none":
                    expected[step % size] = False
            assert np.array_equal(info["action_masks"][0, agent], expected)
    assert terminations.tolist() == [[True, False, False]]
    assert truncations.tolist() == [[False, True, True]]


def test_the_last_observation_of_an_agent_is_shown_when_it_dies() -> None:
    env = small(deaths=True)
    env.reset(0)
    env.step([[0, 0, 0]])
    observations, _, terminations, _, _ = env.step([[0, 0, 0]])
    assert terminations[0, 0]
    assert observations[0, 0, 0] != 0.0


def test_without_masks_and_with_equal_actions_there_are_none() -> None:
    env = small(equal=True, deaths=True)
    env.reset(0)
    for _ in range(4):
        assert list(env.step([[2, 2, 2]])[4]) == ["active"]


MASKED = {**SMALL, "kwargs": {"deaths": True, "masks": "info"}}


@pytest.mark.parametrize(("world", "workers"), [(SPREAD, 0), (MASKED, 0), (MASKED, 2)])
def test_state_and_generator_resume_a_run_exactly(
    world: dict[str, Any], workers: int, tmp_path: Path
) -> None:
    rng = np.random.default_rng(3)
    with make(3, **world) as env, make(3, workers=workers, **world) as resumed:
        env.reset(11)
        for _ in range(8):  # rows drift apart: over, restarted, under way
            over = np.all(env.step(random_actions(env, rng))[3], axis=1)
            over |= env._finished
            env.reset(where=over | np.array([False, rng.random() < 0.3, False]))
        checkpoints.save(tmp_path / "state", {"state": env.state, "rng": env.rng_state}, "mine")
        loaded = checkpoints.load(tmp_path / "state", "mine")
        assert json.loads(json.dumps(env.rng_state)) == loaded["rng"]
        resumed.state, resumed.rng_state = loaded["state"], loaded["rng"]
        for _ in range(20):
            assert equal(list(env.state.values()), list(resumed.state.values()))
            assert np.array_equal(env.observations(), resumed.observations())
            assert equal(list(env.masks().values()), list(resumed.masks().values()))
            actions = random_actions(env, rng)
            *a, a_info = env.step(actions)
            *b, b_info = resumed.step(actions)
            assert equal([*a, *a_info.values()], [*b, *b_info.values()])
            over = np.all(a[2] | a[3], axis=1)
            assert np.array_equal(env.reset(where=over)[0], resumed.reset(where=over)[0])


def test_a_state_whose_episode_ended_early_is_finished() -> None:
    env = small(batch=1)  # ends at 5 of 6 steps
    env.reset(0)
    for _ in range(5):
        env.step([[0, 0, 0]])
    other = small(batch=1)
    other.state = env.state
    with pytest.raises(RuntimeError, match="1 of 1 episodes are over"):
        other.step([[0, 0, 0]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s["seeds"].__setitem__(1, -1), r"state\['seeds'\]: got -1, must be from 0 to 2147483647"),
        (lambda s: s["seeds"].__setitem__(0, 2**31), r"state\['seeds'\]: got 2147483648, must be"),
        (
            lambda s: s["actions"].__setitem__((1, 0, 1), 3),
            r"state\['actions'\]: got 3 for agent 1 at step 0 of row 1, which has played 1, "
            "must be from 0 to 2",
        ),
        (
            lambda s: s["actions"].__setitem__((0, 0, 0), -1),
            "got -1 for agent 0 at step 0 .* must be from 0 to 1",
        ),
        (lambda s: s["actions"].__setitem__((0, 1, 1), 0), "got 0 for agent 1 at step 1 .* must be -1"),
        (lambda s: s.update(t=np.array([1, 2])), "got -1 for agent 0 at step 1 of row 1, which has played 2"),
    ],
)
def test_a_wrong_state_is_refused_in_one_line_and_changes_nothing(change: Any, message: str) -> None:
    env = small(batch=2)
    env.reset(0)
    env.step([[0, 0, 0], [0, 0, 0]])
    before, wrong = env.state, env.state
    change(wrong)
    with pytest.raises(ValueError, match=message) as caught:
        env.state = wrong
    assert "\n" not in str(caught.value)
    assert equal(list(env.state.values()), list(before.values()))
    env.step([[0, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize(("how", "what"), [("seen", "shows its agents"), ("paid", "pays its agents")])
def test_a_world_that_does_not_follow_from_its_seed_is_found_out(how: str, what: str) -> None:
    env = small("Forgetful", how=how)
    env.reset(0)
    env.step([[0, 0, 0]])
    with pytest.raises(WorldError, match=f"Forgetful {what} something else when the same actions are played"):
        env.state = env.state
    with pytest.raises(RuntimeError, match="no episode has been started"):
        env.step([[0, 0, 0]])
    env.reset()
    env.step([[0, 0, 0]])


def test_there_is_no_state_before_the_first_reset() -> None:
    with pytest.raises(RuntimeError, match="state: no episode has been started"):
        _ = small().state


MISDEEDS = {
    "raises": "step raised KeyError: 'a wheel came off\\\\nand rolled away'",
    "no reward": "did not give the reward for agent 'b'",
    "too long": "agent 'b' observed 7 numbers, its space has 2",
    "vanishes": r"step left agents \['a', 'b'\], but those neither terminated nor truncated are \['a', 'b', ",
    "leaves": "step raised SystemExit: 5",
    "mute": "step raised Mute: its message cannot be read",
    "four values": "step gave 4 values, must be 5 mappings from agents: observations, rewards, termin",
    "nothing": "step gave one NoneType, must be 5 mappings",
    "list of rewards": r"step gave \[3.0, .*\] as rewards, must be 5 mappings",
    "no info": "agent 'b' got None as info, must be a mapping",
    "half over": "agent 'b' got 0.5 as termination, must be True or False",
    "no agents": r"the result of step cannot be read \(TypeError: ",
    "paid nan": r"agent 'b' was paid nan, must be finite and at most 1e\+18 in size",
    "paid inf": "agent 'b' was paid -inf, must be finite",
    "paid too much": r"agent 'b' was paid 1e\+300, must be finite",
    "paid None": "agent 'b' got the reward None, must be a number",
    "paid text": "agent 'b' got the reward '1.5', must be a number",
    "paid an array": r"agent 'b' got the reward an array of float64 and shape \(1,\), must be a number",
    "paid complex": "agent 'b' got the reward 1j, must be a number",
    "paid a long integer": r"agent 'b' got the reward 100000\d+\.\.\., must be a number",
    "saw nan": "agent 'b' observed nan, must be finite",
    "saw inf": "agent 'b' observed inf, must be finite",
    "saw too much": r"agent 'b' observed 1e\+30, must be finite",
    "saw beyond float32": "agent 'b' observed -inf, must be finite",
    "saw None": r"agent 'b' observed \[None, None\], must be numbers",
    "saw text": r"agent 'b' observed \['1', '2'\], must be numbers",
    "saw no array": r"the result of step cannot be read \(ValueError: ",
    "saw nothing": "agent 'b' observed None, must be numbers",
    "saw no entry": "did not give the entry 'observation' in what agent 'b' observed",
    "text mask": r"agent 'a' got action_mask \['1', '0'\], must be 2 numbers",
}


@pytest.mark.parametrize(
    ("how", "workers"),
    [*((how, 0) for how in MISDEEDS), *((how, 2) for how in ("raises", "leaves", "paid None"))],
)
def test_what_a_world_does_wrong_is_said_in_one_line(how: str, workers: int) -> None:
    with small("Moody", how=how, batch=2, workers=workers) as env:
        env.reset(0)
        env.step(np.zeros((2, 3), dtype=int))
        with pytest.raises(
            WorldError, match=f"^pettingzoo: small_worlds:Moody, row 0, step 2: {MISDEEDS[how]}"
        ) as e:
            env.step(np.zeros((2, 3), dtype=int))
        assert "\n" not in str(e.value)
        assert ("(worker 0 of 2)" in str(e.value)) == bool(workers)
        if workers:
            assert "Traceback" in str(e.value.__cause__)
        with pytest.raises(RuntimeError, match="no episode has been started"):
            env.step(np.zeros((2, 3), dtype=int))
        env.reset()
        env.step(np.zeros((2, 3), dtype=int))


@pytest.mark.parametrize("algorithm", LEARNERS.builtin())
def test_no_algorithm_learns_from_a_reward_that_is_no_number(algorithm: str) -> None:
    world = {**SMALL, "pettingzoo": "small_worlds:Moody", "kwargs": {"how": "paid nan"}}
    trial = workloads.TrainingWorkload.model_validate(
        {
            "environment": world,
            "algorithm": {"name": algorithm, "hidden": [4]},
            "training": {"updates": 1, "samples": 12},
        }
    )
    message = "^pettingzoo: small_worlds:Moody, row 0, step 2: agent 'b' was paid nan"
    with pytest.raises(WorldError, match=message):
        workloads.run(trial, seed=0, graph=nx.path_graph(3))


WRONGS = {
    "old reset": "reset gave one dict, must be 2 mappings from agents: observations, infos",
    "three values": "reset gave 3 values, must be 2 mappings",
    "list": r"reset gave \[.*\.\.\. as observations, must be 2 mappings",
    "infos None": "reset gave None as infos, must be 2 mappings",
    "info None": "agent 'a' got None as info, must be a mapping",
    "missing": "did not give the observation for agent 'b'|did not give the observation",
    "other names": "did not give the observation",
    "too long": "agent 'b' observed 7 numbers, its space has 2",
    "nan": "agent 'c' observed nan, must be finite",
    "mask": "agent 'a' got action_mask .*, must be 2 numbers",
    "agents": r"reset started with agents \['a', 'b', 'b'\], must be all of",
    "leaves": "reset raised SystemExit: 0",
    "close": "Wrong: close raised RuntimeError: video system not initialized",
    "close leaves": "Wrong: close raised SystemExit",
    "twice": "has an agent twice in its possible_agents",
    "a number": r"its possible_agents cannot be read \(TypeError: ",
    "property": r"its spaces cannot be read \(TypeError: 'Box' object is not callable",
    "no space": r"its spaces cannot be read \(AttributeError: ",
    "sees nothing": "no agent observes anything",
}


@pytest.mark.parametrize("how", WRONGS)
def test_a_world_that_is_wrong_from_the_start_is_refused_with_the_study(how: str) -> None:
    with pytest.raises(ValueError, match=WRONGS[how]) as caught:
        environments.settings(
            "pettingzoo", **{**SMALL, "pettingzoo": "small_worlds:Wrong"}, kwargs={"how": how}
        )
    assert "\n" not in str(caught.value)


def test_without_metadata_there_are_no_pictures() -> None:
    options = {**SMALL, "pettingzoo": "small_worlds:Wrong", "kwargs": {"how": "no metadata"}}
    settings = environments.settings("pettingzoo", **options)
    assert isinstance(settings, PettingZooSettings)
    assert not settings.world.pictures


def test_a_world_that_does_not_close_after_it_was_played_is_warned_of() -> None:
    env = small("Sloppy", batch=2)
    env.reset(0)
    env.step(np.zeros((2, 3), dtype=int))
    env.step(np.zeros((2, 3), dtype=int))
    with pytest.warns(RuntimeWarning, match="row 0, step 2: close raised RuntimeError: no display; 2 of 2"):
        env.close()


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("os:system", "os is of Python's standard library"),
        ("os.path:expandvars", "os is of Python's standard library"),
        ("this", "this is of Python's standard library"),
        ("pip.__main__", "pip.__main__ is a program"),
        ("small_worlds:a_partial_env", "is a partial, neither a class nor a plain function"),
        ("small_worlds:system_env", "is a builtin_function_or_method, neither"),
        ("small_worlds:expand_env", "is a function of another package, defined in posixpath"),
        ("small_worlds:checked_env", "is a function of another package, defined in gymnasium"),
        ("small_worlds:elsewhere", "is a function, but not called parallel_env, env or ..._env"),
        ("small_worlds:Box", "is a class, but not a ParallelEnv or AECEnv"),
        ("small_worlds:os", "is a module, neither"),
        ("small_worlds:PAID", "is a dict, neither"),
        ("functions_only", "is a function of functions_only, which imports nothing from pettingzoo"),
        ("functions_only:env", "is a function of functions_only, which imports nothing from pettingzoo"),
        ("functions_only:remove_env", "is a function of functions_only, which imports nothing from pett"),
        ("pettingzoo.utils.conversions:aec_to_parallel", "is a function, but not called"),
    ],
)
def test_nothing_is_called_that_was_not_written_to_make_a_world(
    path: str, reason: str, tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    kwargs = {"command": f"touch {canary}", "path": str(canary)}
    with pytest.raises(ValueError, match=re.escape(reason)):
        environments.settings("pettingzoo", pettingzoo=path, kwargs=kwargs, episode_length=6)
    assert not canary.exists()


@pytest.mark.parametrize(
    "path",
    [
        *("antigravity", "test.support", "test:parallel_env", "idlelib.idle", "lib2to3.main", "turtledemo"),
        *("__hello__", "__phello__.spam", "_testcapi", "pydoc_data.topics", "__pycache__.x", "__main__"),
        *("pip", "setuptools.command", "pkg_resources", "_distutils_hack", "wheel", "distutils.cmd"),
    ],
)
def test_what_comes_with_python_is_not_even_imported(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def imported(name: str) -> None:
        raise AssertionError(f"{name} was imported")

    monkeypatch.setattr(pettingzoo_loading.importlib, "import_module", imported)
    before = set(sys.modules)
    with pytest.raises(ValueError, match=r"Python's standard library|comes with Python|is a program"):
        environments.settings("pettingzoo", pettingzoo=path, episode_length=6)
    assert set(sys.modules) == before


def test_somebody_may_have_a_package_of_a_name_that_python_does_not_reserve(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "__init__.py").write_text("")
    (tmp_path / "test" / "worlds.py").write_text("")
    for name in [name for name in sys.modules if name.split(".")[0] == "test"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=r"module 'test\.worlds' has no 'parallel_env'"):
        pettingzoo_loading.load("test.worlds")
    for name in ("test", "test.worlds"):
        del sys.modules[name]


def worker_processes(env: PettingZooWorlds) -> list[int]:
    workers = env._episodes
    assert isinstance(workers, Workers)
    return [process.pid for process in workers.children.processes]


def test_a_worker_that_dies_is_named_with_its_exit_code() -> None:
    env = small("Moody", how="dies", batch=2, workers=1)
    processes = worker_processes(env)
    env.reset(0)
    env.step(np.zeros((2, 3), dtype=int))
    with pytest.raises(WorldError, match=r"worker 0 of 1, with rows 0 to 1, died \(exit code 3\)"):
        env.step(np.zeros((2, 3), dtype=int))
    assert gone(processes)


def test_a_worker_that_is_killed_is_named_and_the_others_are_stopped() -> None:
    env = small(batch=5, workers=2)
    first, second = worker_processes(env)
    env.reset(0)
    os.kill(second, signal.SIGKILL)
    with pytest.raises(WorldError, match=r"worker 1 of 2, with rows 3 to 4, died \(exit code -9\)"):
        env.step(np.zeros((5, 3), dtype=int))
    assert gone([first])


def test_no_process_is_left_by_closing_or_by_forgetting() -> None:
    closed = environments.parallel("pettingzoo", workers=1, **SMALL)
    assert isinstance(closed.environment, PettingZooWorlds)
    processes = worker_processes(closed.environment)
    assert all(map(alive, processes))
    closed.close()
    closed.close()
    assert gone(processes)
    with pytest.raises(RuntimeError, match="this environment has been closed"):
        closed.reset(0)

    forgotten = small(batch=2, workers=1)
    processes = worker_processes(forgotten)
    del forgotten
    gc.collect()
    assert gone(processes)


def test_no_worker_is_left_when_the_parent_is_killed() -> None:
    script = """import sys
from testbed import environments
env = environments.make("pettingzoo", batch=2, workers=1, pettingzoo="mpe2.simple_spread_v3")
print(*[process.pid for process in env._episodes.children.processes], flush=True)
sys.stdin.read()"""
    parent = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    processes = [int(word) for word in parent.stdout.readline().split()]
    assert len(processes) == 1
    assert all(map(alive, processes))
    parent.kill()
    parent.communicate()
    assert gone(processes)


def test_an_interrupted_step_leaves_no_answer_behind_for_a_later_one(monkeypatch: pytest.MonkeyPatch) -> None:
    env = small(batch=2, workers=1)
    processes = worker_processes(env)
    env.reset(0)

    def interrupted(stream: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(child_processes, "receive", interrupted)
        with pytest.raises(KeyboardInterrupt):
            env.step(np.zeros((2, 3), dtype=int))
    assert gone(processes)
    with pytest.raises(RuntimeError, match="no episode has been started"):
        env.step(np.zeros((2, 3), dtype=int))
    with pytest.raises(WorldError, match="this and all others have been closed"):
        env.reset(0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pettingzoo": "no.such.world"}, "pettingzoo: got 'no.such.world', .*no module 'no' for"),
        ({"pettingzoo": "mpe2.simple_sprawl_v3"}, "no module 'mpe2.simple_sprawl_v3' .*is its package inst"),
        ({"pettingzoo": "math"}, "'math', math is of Python's standard library, which has no environments"),
        ({"pettingzoo": "small_worlds:nobody"}, "module 'small_worlds' has no 'nobody'"),
        ({"pettingzoo": "unimportable"}, r"cannot be imported \(.*needs a licence\)"),
        ({"pettingzoo": "os; rm"}, "'os; rm' is neither a dotted module nor module:attribute"),
        (
            {"pettingzoo": "small_worlds:broken_env"},
            r"cannot be built with \{\} \(RuntimeError: no display\)",
        ),
        (
            {"pettingzoo": "small_worlds:other_env"},
            "makes a int, must make a PettingZoo ParallelEnv or AECEnv",
        ),
        ({"pettingzoo": "small_worlds:Anonymous"}, "has no fixed possible_agents"),
        (
            {"pettingzoo": "small_worlds:Mixed"},
            r"agent 'b' acts in Box\(.*\) and agent 'a' in Discrete\(2\); all agents must have the same kind",
        ),
        (
            {"pettingzoo": "small_worlds:Other", "kwargs": {"what": "acts in a Tuple"}},
            r"agent 'a' acts in Tuple\(.*\), must act in Discrete, MultiDiscrete or Box of floating",
        ),
        (
            {"pettingzoo": "small_worlds:Other", "kwargs": {"what": "acts in whole numbers"}},
            r"agent 'a' acts in Box\(0, 3, \(2,\), int32\), must act in Discrete",
        ),
        (
            {"pettingzoo": "small_worlds:Other", "kwargs": {"what": "sees Text"}},
            r"agent 'a' observes Text\(.*\), must observe Box, Discrete, MultiDiscrete or Dict",
        ),
        (
            {"pettingzoo": "small_worlds:Other", "kwargs": {"what": "sees a Dict"}},
            r"agent 'a' observes Dict\(.*\), must observe Box",
        ),
        (
            {"pettingzoo": "small_worlds:Reals", "kwargs": {"masks": "info"}},
            "agent 'a' got an action_mask, must have Discrete actions, has Box",
        ),
        ({"pettingzoo": "small_worlds:Leaky"}, r"Leaky, step 0: reset raised OSError: no disk"),
        ({"pettingzoo": "small_worlds", "episode_length": None}, "needs a number, .* no max_cycles"),
        ({"pettingzoo": "mpe2.simple_spread_v3", "kwargs": {"M": 3}}, "kwargs: .*cannot be built with"),
        ({**SPREAD, "kwargs": {"render_mode": "human"}}, "kwargs: .*render_mode cannot be set"),
        ({**SPREAD, "workers": -1}, "workers: got -1"),
        ({**SPREAD, "episode_length": 0}, "episode_length: got 0"),
        ({"kwargs": {}}, "pettingzoo: pettingzoo: .*is missing"),
    ],
)
def test_a_world_that_does_not_fit_is_refused_in_one_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        environments.settings("pettingzoo", **{"episode_length": 6, **options})
    assert "\n" not in str(caught.value)


def test_a_world_in_which_not_everybody_starts_is_refused() -> None:
    env = small("Late")
    with pytest.raises(WorldError, match=r"reset started with agents \['a', 'b'\]"):
        env.reset(0)


def test_pictures_follow_every_row() -> None:
    env = make(2, pettingzoo="small_worlds:Counting")
    env.reset(0)
    env.step(np.zeros((2, 3), dtype=int))
    env.step(np.zeros((2, 3), dtype=int))
    env.reset(where=[False, True])
    assert env.render(0).tolist() == np.full((2, 3, 3), 2).tolist()
    assert env.render(1).tolist() == np.full((2, 3, 3), 0).tolist()
    env.step(np.zeros((2, 3), dtype=int))
    assert env.render(1).tolist() == np.full((2, 3, 3), 1).tolist()
    earlier = env.state
    env.step(np.zeros((2, 3), dtype=int))
    assert env.render(1).tolist() == np.full((2, 3, 3), 2).tolist()
    env.state = earlier  # the same episode, but not so far
    assert env.render(1).tolist() == np.full((2, 3, 3), 1).tolist()
    with pytest.raises(RuntimeError, match="small_worlds:World has no render mode 'rgb_array'"):
        small().render()


def test_the_picture_is_the_worlds_own() -> None:
    original = importlib.import_module("mpe2.simple_spread_v3").parallel_env(
        N=3, max_cycles=6, render_mode="rgb_array"
    )
    env = make(1, **SPREAD)
    env.reset(2)
    original.reset(seed=int(env.state["seeds"][0]))
    for _ in range(3):
        env.step([[1, 2, 3]])
        original.step({"agent_0": 1, "agent_1": 2, "agent_2": 3})
        assert np.array_equal(env.render(), original.render())


@pytest.mark.parametrize("world", [SPREAD, TREASURE, {**SMALL, "kwargs": {"deaths": True}}])
def test_it_passes_pettingzoos_own_tests(world: dict[str, Any]) -> None:
    parallel_api_test(environments.parallel("pettingzoo", **world), num_cycles=60)
    parallel_seed_test(lambda: environments.parallel("pettingzoo", **world))


def test_a_collector_resumes_exactly() -> None:
    class Random:
        def act(self, observations: Any, masks: Any, generator: Any) -> NDArray[np.int64]:
            return np.argmax(generator.random(masks.shape) * masks, axis=2)

    def collector() -> Collector:
        return Collector(small(batch=3, deaths=True, masks="info"), seed=4)

    def tables(batch: Batch) -> list[NDArray[Any]]:
        return [array for array in vars(batch).values() if array is not None]

    straight, broken_off, resumed = collector(), collector(), collector()
    rng = [np.random.default_rng(0) for _ in range(2)]
    straight.collect(Random(), 13, rng[0])
    broken_off.collect(Random(), 13, rng[1])
    resumed.load_state_dict(broken_off.state_dict())
    a, a_means = straight.collect(Random(), 9, rng[0])
    b, b_means = resumed.collect(Random(), 9, rng[1])
    assert equal(tables(a), tables(b))
    assert a_means == b_means


def test_a_study_names_its_world_without_naming_the_adapter() -> None:
    trial = workloads.TrainingWorkload.model_validate({"environment": SPREAD})
    assert isinstance(trial.environment, PettingZooSettings)
    assert trial.environment.model_dump() == {
        "name": "pettingzoo",
        **SPREAD,
        "episode_length": 6,
        "workers": 0,
    }
    assert trial.environment == environments.settings("pettingzoo", **SPREAD)


def test_messages_name_the_field_once() -> None:
    with pytest.raises(ValueError, match=re.escape("pettingzoo: workers: got 1.5, ")):
        environments.settings("pettingzoo", **SPREAD, workers=1.5)
