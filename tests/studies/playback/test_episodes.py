"""Episodes played into films: by whom, and what the films show."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from studies.execution import runner
from studies.playback import episodes, video
from studies.spec.document import StudyError
from studies.spec.loading import load
from studies.storage.store import Store
from testbed import environments, workloads
from testbed.common import checkpoints
from testbed.environments.skirmish.scripted import Scripted
from testbed.network import Streams
from testbed.training.rollout import Collector

TRAINING = """\
workload: training
environment: {name: navigation, agents: 3, episode_length: 6}
algorithm: {hidden: [8, 8]}
consensus: {budget: {activations: 4}}
training: {updates: 2, samples: 12}
"""
SKIRMISH = "workload: update\nenvironment: {name: skirmish, map: 2s3z, unavailable: random}\n"


@pytest.fixture
def trained(write, tmp_path):
    """A study of one trial that has been run, and its store."""
    study, store = load(str(write(TRAINING))), Store(tmp_path / "out")
    runner.perform(runner.Task(study.trials[0], store.folder, {}), lambda *_: None)
    return study.trials[0], store


def frames(file):
    """Every frame of a GIF as an array, and how long each is shown, in milliseconds."""
    with Image.open(file) as film:
        shown = [(np.array(frame.convert("RGB")), frame.info["duration"]) for frame in all_of(film)]
    return [picture for picture, _ in shown], {duration for _, duration in shown}


def all_of(film):
    return ImageSequence.Iterator(film)


def played(player, seed=0):
    return list(episodes.play(player, seed=seed, episodes=1))


# --- films ---------------------------------------------------------------------------------------------


def test_a_gif_has_the_start_and_every_step_of_every_episode(call, write):
    code, out, err = call(
        *("play", write(TRAINING), "--policy", "random", "--episodes", "2", "--fps", "5", "--out", "a/b.gif"),
        "--no-panel",
    )
    assert (code, err) == (0, "")
    pictures, durations = frames("a/b.gif")
    assert len(pictures) == 2 * (6 + 1)
    assert durations == {200}
    assert {picture.shape for picture in pictures} == {(300 + video.CAPTION_PIXELS, 300, 3)}
    lines = out.splitlines()
    assert lines[:2] == ["trial 1 of 1: seed=0", "policy:  random"]
    assert lines[2].startswith("episode 1: 6 steps, return -")
    assert lines[3].startswith("episode 2: 6 steps, return -")
    assert lines[4] == "film:    a/b.gif"
    assert [path.name for path in Path("a").iterdir()] == ["b.gif"]


def test_a_gif_shows_what_the_environment_draws_all_but_some_edges_exactly(write, tmp_path):
    trial = load(str(write(TRAINING))).trials[0]
    shown = played(episodes.Player(trial.settings, "random"))
    film = tmp_path / "a.gif"
    video.write(film, [video.captioned(f.picture, f.caption) for f in shown], frames_per_second=10)
    for picture, frame in zip(frames(film)[0], shown, strict=True):
        off = np.abs(picture[:300].astype(int) - frame.picture)
        assert off.max() <= 8
        assert (off == 0).mean() > 0.99
        assert (picture[300:] < 128).any()  # the caption


def test_small_things_keep_their_colour_among_more_colours_than_a_gif_has(tmp_path):
    picture = np.zeros((300, 300, 3), dtype=np.uint8)
    picture[:, :, 0] = np.arange(300)[:, None] * 255 // 299
    picture[:, :, 1] = np.arange(300)[None, :] // 100
    picture[10:12, 10:12] = [0, 0, 255]
    video.write(tmp_path / "a.gif", [video.captioned(picture, "")], frames_per_second=10)
    (shown,) = frames(tmp_path / "a.gif")[0]
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > video.COLOURS
    assert np.abs(shown[:300].astype(int) - picture).max() <= 3


def test_very_small_pictures_are_magnified_and_sides_are_even():
    picture = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    shown = np.asarray(video.captioned(picture, "step 0"))
    factor = 43  # 7 * 43 = 301
    assert shown.shape == (5 * factor + 1 + video.CAPTION_PIXELS, 302, 3)
    assert np.array_equal(shown[factor // 2 : 5 * factor : factor, factor // 2 : 301 : factor], picture)


@pytest.mark.parametrize("program", ["takes all", "fails"])
def test_an_mp4_is_made_by_ffmpeg_from_raw_frames(call, write, monkeypatch, program):
    """A stand-in for ffmpeg writes down what it was given."""
    tools = Path("tools").absolute()
    tools.mkdir()
    script = {
        "takes all": 'for last; do :; done\necho "$@" > said.txt\ncat > "$last"\n',
        "fails": "echo first >&2\necho 'Unknown encoder' >&2\nexit 3\n",
    }[program]
    (tools / "ffmpeg").write_text("#!/bin/sh\n" + script)
    (tools / "ffmpeg").chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    code, _, err = call(
        "play", write(TRAINING), "--policy", "random", "--fps", "7", "--out", "a.mp4", "--no-panel"
    )
    if program == "fails":
        assert (code, err) == (2, "--out: ffmpeg failed with exit code 3: Unknown encoder\n")
        assert [path.name for path in Path.cwd().iterdir()] == ["tools"]
        return
    assert code == 0
    height = 300 + video.CAPTION_PIXELS
    said = Path("said.txt").read_text()
    assert f"-f rawvideo -pix_fmt rgb24 -s 300x{height} -r 7 -i - " in said
    raw = np.frombuffer(Path("a.mp4").read_bytes(), dtype=np.uint8).reshape(7, height, 300, 3)
    trial = load(str(write(TRAINING))).trials[0]
    shown = played(episodes.Player(trial.settings, "random"))
    assert np.array_equal(raw[:, :300], np.stack([frame.picture for frame in shown]))


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg on this machine")
def test_the_mp4_of_a_real_ffmpeg_has_the_frames_that_were_played(call, write):
    code, _, err = call(
        "play", write(TRAINING), "--policy", "random", "--fps", "7", "--out", "a.mp4", "--no-panel"
    )
    assert (code, err) == (0, "")
    height = 300 + video.CAPTION_PIXELS
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", "a.mp4", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
        capture_output=True,
        check=True,
    ).stdout
    trial = load(str(write(TRAINING))).trials[0]
    shown = np.stack([frame.picture for frame in played(episodes.Player(trial.settings, "random"))])
    film = np.frombuffer(raw, dtype=np.uint8).reshape(len(shown), height, 300, 3)
    apart = np.abs(film[:, :300].astype(float) - shown)
    assert apart.mean() < 3  # lossy, and half the resolution in colour


def test_a_film_that_breaks_off_leaves_nothing(tmp_path):
    def break_off():
        yield video.captioned(np.zeros((2, 2, 3), dtype=np.uint8), "")
        raise StudyError("the world ended")

    with pytest.raises(StudyError, match="the world ended"):
        video.write(tmp_path / "a.gif", break_off(), frames_per_second=10)
    assert list(tmp_path.iterdir()) == []


# --- who plays -----------------------------------------------------------------------------------------


def test_the_learnt_models_play_as_they_do_when_they_are_evaluated(trained):
    trial, store = trained
    player = episodes.choose_player(trial, store, greedy=True)
    assert player.models == store.trials / trial.hash / "models.pt"
    shown = played(player, seed=3)
    learner = _learner(trial, store)
    world = Collector(
        trial.settings.environment.make(1), int(Streams(3).fresh("environment").integers(2**31))
    )
    _, means = world.collect(learner, 6, None)
    assert shown[-1].over
    assert shown[-1].total == pytest.approx(means["return"], abs=1e-12)
    for name, value in shown[-1].components.items():
        assert value == pytest.approx(means[f"return_{name}"], abs=1e-12)


def _learner(trial, store):
    """The learner that the trial ended with, trained once more."""
    trainer = workloads.make_trainer(trial.settings, seed=trial.seed, graph=trial.graph())
    trainer.train()
    return trainer.learner


def test_learnt_models_sample_as_in_training_and_are_not_random_ones(trained, write):
    trial, store = trained
    player = episodes.choose_player(trial, store)
    shown = played(player, seed=3)
    learner, streams = _learner(trial, store), Streams(3)
    world = Collector(trial.settings.environment.make(1), int(streams.fresh("environment").integers(2**31)))
    _, means = world.collect(learner, 6, streams.generator("actions"))
    assert shown[-1].total == pytest.approx(means["return"], abs=1e-12)
    other = [
        played(episodes.choose_player(trial, store, greedy=True), seed=3)[-1].total,
        played(episodes.choose_player(trial, store, policy="random"), seed=3)[-1].total,
        played(player, seed=4)[-1].total,
    ]
    assert len({shown[-1].total, *other}) == 4


def test_by_default_what_has_been_learnt_plays_and_the_same_seed_gives_the_same_bytes(call, write):
    file = write(TRAINING)
    assert call("train", file)[0] == 0
    code, out, _ = call("play", file, "--seed", "1")
    trial = load(str(file)).trials[0]
    (film,) = Path("runs/study/episodes").iterdir()
    assert code == 0
    assert out.splitlines()[1] == f"policy:  learnt, runs/study/trials/{trial.hash}/models.pt"
    assert film.name == f"{trial.hash}-learnt-1.gif"
    call("play", file, "--seed", "1", "--out", "again.gif")
    call("play", file, "--seed", "2", "--out", "other.gif")
    assert film.read_bytes() == Path("again.gif").read_bytes() != Path("other.gif").read_bytes()


def test_a_trial_under_way_plays_what_it_has_learnt_until_then(call, write, trained):
    trial, store = trained
    theta = checkpoints.load(store.models(trial), None)["learner"]["theta"]
    unfinished = Store(Path("runs/study"))
    unfinished.claims.folder.mkdir(parents=True)
    checkpoints.save(
        unfinished.claims.checkpoint(trial),
        {"learner": checkpoints.load(store.models(trial), None)["learner"], "rows": {}},
        "any",
    )
    assert unfinished.models(trial) == Path("runs/study/checkpoints") / trial.hash
    code, out, _ = call("play", write(TRAINING), "--out", "a.gif")
    assert code == 0
    assert f"policy:  learnt, runs/study/checkpoints/{trial.hash}\n" in out
    assert theta.shape[0] == 3


@pytest.mark.parametrize("policy", ["random", "stop", "hold", "nearest", "focus", "nearest10"])
def test_scripted_policies_play_skirmish_whatever_its_unavailable_actions_are(write, policy):
    trial = load(str(write(SKIRMISH))).trials[0]
    shown = played(episodes.choose_player(trial, Store(Path("none")), policy=policy), seed=5)
    env = environments.make("skirmish", map="2s3z")
    streams = Streams(5)
    _, info = env.reset(int(streams.fresh("environment").integers(2**31)))
    script, generator = Scripted(env, policy), streams.generator("actions")
    total, steps, over = 0.0, 0, False
    while not over:
        actions = script.act(None, info["action_masks"], generator)
        _, rewards, terminations, truncations, info = env.step(actions)
        total, steps, over = total + rewards.sum(), steps + 1, (terminations | truncations).all()
    assert (len(shown), shown[-1].total) == (steps + 1, total)
    assert np.array_equal(shown[-1].picture, env.render())


def test_random_uses_every_action_an_agent_has(write):
    trial = load(str(write(TRAINING.replace("episode_length: 6", "episode_length: 200")))).trials[0]
    env = trial.settings.environment.make(1)
    choose = episodes.chooser(episodes.Player(trial.settings, "random"), env)
    generator = np.random.default_rng(0)
    chosen = np.concatenate([choose(env.reset(0)[0], None, generator) for _ in range(1000)])
    counts = np.bincount(chosen.ravel(), minlength=5) / chosen.size
    assert np.abs(counts - 0.2).max() < 5 * np.sqrt(0.2 * 0.8 / chosen.size)


# --- errors --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        (TRAINING, [], "no models of this trial are under runs/study: train it"),
        (SKIRMISH, [], "runs/study: an update study keeps none; name a file with --checkpoint"),
        (TRAINING, ["--policy", "randm"], "navigation has learnt, random; did you mean 'random'?"),
        (TRAINING, ["--policy", "nearest"], "--policy nearest: is for skirmish; navigation has"),
        (TRAINING, ["--policy", "random10"], "--policy random10: navigation has learnt, random"),
        (SKIRMISH, ["--policy", "neerest10"], "did you mean 'nearest'?"),
        (SKIRMISH, ["--policy", "nearest100"], "skirmish has learnt, random, stop"),
        (TRAINING, ["--policy", "random", "--greedy"], "--greedy: is for --policy learnt, not random"),
        (TRAINING, ["--policy", "random", "--checkpoint", "x"], "--checkpoint: is for --policy learnt"),
        (TRAINING, ["--checkpoint", "gone.pt"], "gone.pt cannot be read (FileNotFoundError)"),
        (TRAINING, ["--trial", "2"], "--trial 2: the study has 1 trial"),
        (TRAINING, ["--policy", "random", "--out", "a.avi"], "--out a.avi: must end in .gif or .mp4"),
        (TRAINING, ["--policy", "random", "--out", "a.mp4"], "needs the program ffmpeg"),
        (
            TRAINING,
            ["--policy", "random", "--out", "taken/a.gif"],
            "taken is not a folder that can be written to",
        ),
        (TRAINING, ["--policy", "random", "--fps", "51"], "--fps"),
        (TRAINING, ["--policy", "random", "--size", "479"], "--size"),
        ("workload: problem\n", ["--policy", "random"], "workload = 'problem'"),
        (
            "workload: training\nenvironment: {name: starcraft}\n",
            ["--policy", "random", "--out", "a.gif"],
            "--out a.gif: must end in .SC2Replay, because starcraft records its own replays",
        ),
    ],
)
def test_what_cannot_be_played_is_one_line_and_nothing_is_written(
    call, write, monkeypatch, text, arguments, message
):
    monkeypatch.setenv("PATH", "")
    Path("taken").write_text("mine")
    code, _, err = call("play", write(text), *arguments)
    assert code == 2
    assert err.count("\n") == 1
    assert message in err
    assert [path.name for path in Path.cwd().iterdir()] == ["taken"]


def test_of_starcraft_its_own_replay_is_written(call, write, monkeypatch):
    doubles = Path(__file__).parents[2] / "testbed" / "environments" / "doubles"
    monkeypatch.setenv("PYTHONPATH", str(doubles / "smac"))
    text = "environment: {name: starcraft, map: tiny, map_agents: 2, map_limit: 6}\ntopology: path\n"
    text += "workload: training\n"
    arguments = ("play", write(text), "--policy", "random", "--episodes", "2", "--out", "battles.SC2Replay")
    code, out, err = call(*arguments)
    assert (code, err) == (0, "")
    assert out.count("episode ") == 2
    assert "replay:  battles.SC2Replay" in out
    assert Path("battles.SC2Replay").read_bytes() == b"replay of 2 battles"
    code, _, err = call(*arguments)
    assert code == 2
    assert "already exists" in err


def test_a_world_without_pictures_is_told_before_it_is_played(call, write, monkeypatch):
    doubles = Path(__file__).parents[2] / "testbed" / "environments" / "doubles" / "worlds"
    monkeypatch.syspath_prepend(str(doubles))
    text = "workload: training\nenvironment: {pettingzoo: 'small_worlds:World', episode_length: 5}\n"
    code, _, err = call("play", write(text), "--policy", "random")
    assert code == 2
    assert err == "environment small_worlds:World: has no pictures (no mode 'rgb_array')\n"


def test_models_of_other_networks_are_refused(call, write, trained):
    trial, store = trained
    wider = TRAINING.replace("[8, 8]", "[9, 9]")
    code, _, err = call("play", write(wider), "--checkpoint", store.models(trial), "--out", "a.gif")
    assert code == 2
    assert err.count("\n") == 1
    assert "models.pt has networks that differ from this trial's" in err
    assert list(Path.cwd().iterdir()) == []
    checkpoints.save(Path("rows.pt"), {"rows": {}}, "x")
    assert (
        call("play", write(TRAINING), "--checkpoint", "rows.pt")[2] == "checkpoint: rows.pt holds no models\n"
    )


# --- what is kept --------------------------------------------------------------------------------------


def test_the_models_of_a_finished_trial_are_kept_and_the_same_again(trained, tmp_path, write):
    trial, store = trained
    again = Store(tmp_path / "again")
    runner.perform(runner.Task(trial, again.folder, {}), lambda *_: None)
    assert store.models(trial).read_bytes() == again.models(trial).read_bytes()
    other = load(str(write(TRAINING + "seeds: [1]\n"))).trials[0]
    runner.perform(runner.Task(other, again.folder, {}), lambda *_: None)
    assert store.models(trial).read_bytes() != again.models(other).read_bytes()


def test_the_models_of_a_trial_that_was_stopped_and_went_on_are_the_same(trained, tmp_path):
    trial, store = trained
    stopped = Store(tmp_path / "stopped")

    def stop(phase, *_):
        if phase == "training":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runner.perform(runner.Task(trial, stopped.folder, {}), stop)
    until_then = stopped.models(trial)
    assert until_then == stopped.claims.checkpoint(trial)
    runner.perform(runner.Task(trial, stopped.folder, {}), lambda *_: None)
    assert stopped.models(trial).read_bytes() == store.models(trial).read_bytes()
    assert not until_then.exists()
