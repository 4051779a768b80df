"""Films with a panel: sizes, rewards of agents, and the packets of the update that models came from."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageSequence

from studies.execution import runner
from studies.playback import episodes, network_picture, update_packets
from studies.playback.film_frame import ROWS, WIDTH, FilmFrames, fit, nice, number_text, world_width
from studies.playback.moment import Moment
from studies.playback.update_packets import Packets, UpdatePackets
from studies.spec.document import StudyError
from studies.spec.loading import load
from studies.storage.store import Store
from testbed.environments.drawing import AGENT_COLOURS, agent_colours
from topologies import make

TRAINING = """\
workload: training
environment: {name: navigation, agents: 4, episode_length: 6}
algorithm: {hidden: [8, 8]}
topology: ring
network: {link: {loss: 0.3}}
consensus: {budget: {activations: 30}}
training: {updates: 2, samples: 24}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A trial that has been run, and its store."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "study.yaml").write_text(TRAINING)
    study, store = load(str(folder / "study.yaml")), Store(folder / "out")
    runner.perform(runner.Task(study.trials[0], store.folder, {}), lambda *_: None)
    return study.trials[0], store


def frames(file):
    with Image.open(file) as film:
        return [np.array(frame.convert("RGB")) for frame in ImageSequence.Iterator(film)]


def moment(returns, picture=(30, 30), rewards=None):
    values = np.array(returns, dtype=float)
    paid = np.zeros_like(values) if rewards is None else np.array(rewards, dtype=float)
    world = np.full((*picture, 3), 77, dtype=np.uint8)
    return Moment(world, 1, 3, paid, values, float(values.sum()), {}, False)


def drawn(returns, picture=(30, 30), packets=None, width=WIDTH, rewards=None):
    names = [f"agent {index}" for index in range(len(returns))]
    film = FilmFrames(width, names, agent_colours(len(returns)), packets)
    return np.asarray(film.draw(moment(returns, picture, rewards)))


def has(picture, colour):
    """The number of pixels that have exactly this colour."""
    return int((picture == colour).all(axis=-1).sum())


def near(picture, colour, off=40):
    return int((np.abs(picture.astype(int) - colour).max(axis=-1) <= off).sum())


@pytest.mark.parametrize(
    ("environment", "policy", "size"),
    [
        ("{name: navigation, agents: 3, episode_length: 3}", "random", 800),
        ("{name: treasure, hunters: 2, banks: 1, episode_length: 3}", "random", 640),
        ("{name: skirmish, map: 2s3z, episode_length: 3}", "nearest", 960),
    ],
)
def test_a_film_is_as_wide_as_asked_and_shows_agents_in_the_colours_of_their_markers(
    call, write, environment, policy, size
):
    text = f"workload: update\nenvironment: {environment}\n"
    code, _, err = call("play", write(text), "--policy", policy, "--out", "a.gif", "--size", size)
    assert (code, err) == (0, "")
    shown = frames("a.gif")
    assert len(shown) == 4
    assert {picture.shape[1] for picture in shown} == {size}
    assert shown[0].shape[0] % 2 == 0
    settings = load(str(write(text))).trials[0].settings.environment
    with settings.make(1) as world:
        colours = world.agent_colours
    below = environment.find("skirmish") >= 0
    for picture in shown:
        edge = round(0.6 * size)
        parts = (
            (picture[: size // 2], picture[size // 2 :]) if below else (picture[:, :edge], picture[:, edge:])
        )
        for colour in set(colours):
            assert all(near(part, colour, 12) > 20 for part in parts)
    assert Path("a.gif").stat().st_size < 150_000


def test_bars_and_numbers_follow_the_rewards():
    none, lost, won = (drawn([value, 0.0], rewards=[value, 0.0]) for value in (0.0, -4.0, 4.0))
    assert has(lost, AGENT_COLOURS[0]) > has(none, AGENT_COLOURS[0]) + 100
    assert has(lost, AGENT_COLOURS[1]) == has(none, AGENT_COLOURS[1])
    columns = [np.nonzero((one != none).any(axis=(0, 2)))[0] for one in (lost, won)]
    panel = world_width(WIDTH, 1.0)
    bars = [int(found[found > panel].min()) for found in columns]
    assert bars[0] < bars[1]  # to the left of the middle if negative
    rows = np.nonzero((lost != none)[:, panel:].any(axis=(1, 2)))[0]
    assert np.ptp(rows) < 40  # nothing but the first agent's row


def test_the_scale_of_bars_only_grows():
    film = FilmFrames(WIDTH, ["a"], agent_colours(1))
    areas = [has(np.asarray(film.draw(moment([value]))), AGENT_COLOURS[0]) for value in (5.0, 50.0, 5.0)]
    assert areas[0] == areas[1] > areas[2] + 50


def test_more_agents_than_rows_share_the_last_one():
    few, many = drawn([1.0] * ROWS), drawn([1.0] * (ROWS + 40))
    assert few.shape == many.shape
    alone = drawn([0.0] * (ROWS - 1) + [1.0] * 41)
    assert (alone != drawn([0.0] * (ROWS + 40))).any()


@pytest.mark.parametrize(
    "picture", [(7, 5), (300, 300), (301, 200), (900, 600), (200, 700), (720, 1280), (1, 1)]
)
@pytest.mark.parametrize("packets", [None, UpdatePackets(make("ring", 4), "packets")])
def test_pictures_of_any_size_fit_and_sides_are_even(picture, packets):
    shown = drawn([1.0] * 4, picture, packets, width=641)
    assert shown.shape[0] % 2 == shown.shape[1] % 2 == 0
    assert shown.shape[1] == 642
    world = fit(np.full((*picture, 3), 77, dtype=np.uint8), 385, 481)
    assert world.width <= 385
    assert world.height <= 481
    assert has(shown, (77, 77, 77)) >= min(world.width * world.height, 10_000)


def test_numbers_have_few_letters_and_scales_are_round():
    assert [number_text(value) for value in (0.0, -1.234, 12345.6, -2.5e9)] == [
        "0.00",
        "−1.23",
        "12346",
        "−2.5e+09",
    ]
    assert [nice(value) for value in (0.0, 0.03, 5.0, 5.1, 99.0, 1e-9)] == [0.0, 0.05, 5.0, 10.0, 100.0, 1e-9]


# --- packets -------------------------------------------------------------------------------------------


def test_packets_are_those_of_the_last_update_of_both_directions(trained):
    trial, store = trained
    shown = update_packets.of_models(trial, store, store.models(trial))
    table = pd.read_parquet(store.trials / trial.hash / "curves_links.parquet")
    last = table[table["update"] == 2]
    assert shown.title == "packets of policy update 2, the last"
    assert set(shown.links) == {(0, 1), (1, 2), (2, 3), (0, 3)}
    for (u, v), packets in shown.links.items():
        own = last[last["source"].isin([u, v]) & last["destination"].isin([u, v])]
        assert (packets.delivered, packets.dropped) == (own["delivered"].sum(), own["dropped"].sum())
    assert sum(each.dropped for each in shown.links.values()) > 0


def test_packets_that_are_unknown_are_said_to_be(trained, tmp_path, write):
    trial, store = trained
    models = store.models(trial)
    other = tmp_path / "other.pt"
    other.write_bytes(models.read_bytes())
    found = update_packets.of_models(trial, store, other)
    assert (found.links, found.title) == (None, "packets unknown: these models are from --checkpoint")
    running = Store(tmp_path / "running")
    running.claims.folder.mkdir(parents=True)
    running.claims.checkpoint(trial).write_bytes(models.read_bytes())
    found = update_packets.of_models(trial, running, running.models(trial))
    assert (found.links, found.title) == (None, "packets are stored once the trial is finished")
    alone = load(str(write(TRAINING.replace("{hidden", "{name: itrpo, hidden")))).trials[0]
    assert update_packets.of_models(alone, store, models) is None


def test_a_damaged_record_is_one_line(trained, monkeypatch):
    trial, store = trained
    table = store.read_table(trial, "curves_links").drop_columns(["dropped"])
    monkeypatch.setattr(store, "read_table", lambda *_: table)
    with pytest.raises(StudyError, match=r"curves_links\.parquet: lacks the column 'dropped'"):
        update_packets.of_models(trial, store, store.models(trial))


def test_dropped_packets_look_unlike_delivered_ones_and_unused_links_are_grey():
    graph, colours = make("ring", 4), [(0, 0, 0)] * 4
    links = {(0, 1): Packets(30, 0), (1, 2): Packets(0, 8)}

    def picture(packets):
        return np.asarray(network_picture.network_picture(packets, colours, 300, 240, 13))

    alone = picture(UpdatePackets(graph, "nothing stored"))
    full = picture(UpdatePackets(graph, "packets", links))
    assert alone.shape == full.shape == (240, 300, 3)
    assert near(alone, network_picture.DELIVERED, 10) == near(alone, network_picture.DROPPED, 10) == 0
    assert near(full, network_picture.DELIVERED, 10) > 200
    assert near(full, network_picture.DROPPED, 10) > 100
    assert near(full, network_picture.UNUSED, 25) > 30
    more = picture(UpdatePackets(graph, "packets", {**links, (0, 3): Packets(3, 0)}))
    assert near(more, network_picture.DELIVERED, 10) > near(full, network_picture.DELIVERED, 10)


def test_a_film_of_learnt_models_has_the_network_and_one_of_random_play_has_not(trained, tmp_path):
    trial, store = trained
    learnt = episodes.choose_player(trial, store)
    random = episodes.choose_player(trial, store, policy="random")
    counts = []
    for player in (learnt, random):
        file = tmp_path / f"{player.policy}.gif"
        episodes.film(player, file, lambda _: None, seed=0, episodes=1, frames_per_second=10)
        counts.append(near(frames(file)[-1], network_picture.DELIVERED, 10))
    assert counts[0] > 200
    assert counts[1] < 20
