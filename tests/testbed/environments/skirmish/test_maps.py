"""Map files: the built-in ones, one's own, and what is refused about them."""

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from testbed.environments import skirmish
from testbed.environments.skirmish import Skirmish, SkirmishSettings
from testbed.environments.skirmish.maps import builtin_maps, load_map

OWN: dict[str, Any] = {
    "episode_limit": 40,
    "allies": [{"unit": "archer", "count": 2}, {"unit": "medivac", "count": 2}],
    "enemies": [{"unit": "marine", "count": 3}],
    "agent_order": ["medivac", "archer"],
    "ally_codes": ["archer", "medivac", "marine"],
    "enemy_codes": ["marine", "medivac", "archer"],
    "units": {
        "archer": {"hp": 30, "shield": 10, "radius": 0.4, "speed": 3, "range": 5, "cooldown": 1, "damage": 9}
        | {"hits": ["ground"]}
    },
    "width": 40,
    "corridor": [6, 26],
    "ally_point": [8, 16],
    "enemy_point": [30, 16],
}


def written(folder: Path, content: Any) -> str:
    path = folder / "own.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return str(path)


def test_the_built_in_maps() -> None:
    assert builtin_maps() == ("10m_vs_11m", "2s3z", "3s5z", "MMM2")


def test_a_map_of_ones_own_can_be_played(tmp_path: Path) -> None:
    settings = SkirmishSettings(map=written(tmp_path, OWN))
    assert (settings.agents, settings.episode_length) == (4, 40)
    env = Skirmish(settings, 5)
    assert env.roster.names == ["medivac", "medivac", "archer", "archer", "marine", "marine", "marine"]
    # Four allies to heal are more than three enemies to shoot at.
    assert env.action_size == 6 + 4
    _, info = env.reset(0)
    rng = np.random.default_rng(0)
    for _ in range(40):
        masks = info["action_masks"]
        assert masks.any(axis=2).all()
        assert not masks[:, :2, 6:8].any()  # healers do not heal healers
        _, _, terminations, truncations, info = env.step(
            np.where(masks, rng.random(masks.shape), -1).argmax(axis=2)
        )
        over = (terminations | truncations).all(axis=1)
        if over.any():
            _, info = env.reset(where=over)


def test_the_map_in_the_documentation_is_one(tmp_path: Path) -> None:
    example = (skirmish.__doc__ or "").split("\n\n")[-1]
    env = Skirmish(SkirmishSettings(map=written(tmp_path, textwrap.dedent(example))), 1)
    assert env.roster.names == ["marine"] * 4 + ["medivac"] + ["marauder"] * 3
    assert env.roster.hp[0] == 55


def test_one_against_one_is_a_map_too(tmp_path: Path) -> None:
    one = {"episode_limit": 9, "agent_order": ["marine"], "allies": [{"unit": "marine", "count": 1}]}
    env = Skirmish(SkirmishSettings(map=written(tmp_path, one | {"enemies": one["allies"]})), 2)
    observations, info = env.reset(0)
    assert observations.shape == (2, 1, 4 + 5 + 0 + 1)
    assert info["action_masks"].shape == (2, 1, 7)
    for _ in range(9):
        _, _, _, truncations, _ = env.step([[1], [4]])
    assert truncations.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"episode_limit": 0}, "episode_limit: got 0, must be greater than or equal to 1"),
        ({"alies": []}, r"alies: got \[\], Extra inputs are not permitted"),
        (
            {"enemies": [{"unit": "marin", "count": 1}]},
            "enemies: unknown unit 'marin'.*did you mean 'marine'",
        ),
        ({"enemies": [{"unit": "medivac", "count": 1}]}, "enemies: got healers only"),
        ({"agent_order": ["medivac"]}, "agent_order: got medivac, must be each of archer, medivac once"),
        ({"ally_codes": []}, "ally_codes: got nothing, must be each of archer, marine, medivac once"),
        ({"corridor": [20, 10]}, r"corridor: got \[20, 10\], must be 0 <= low < high <= height"),
        ({"ally_point": [8, 30]}, r"ally_point: got \[8.0, 30.0\], must be a point inside the corridor"),
        (
            {"enemies": [{"unit": "marine", "count": 900}]},
            "enemies: too many for the corridor, a marine would start at",
        ),
        ({"units": {"archer": {"hp": -1}}}, "units.archer.hp: got -1, must be greater than 0"),
        ({"units": {"archer": 3}}, "units.archer: got 3, must be"),
        ({"units": 3}, "units: got 3, must be a mapping"),
    ],
)
def test_what_is_wrong_with_a_map_is_said_in_one_line(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = written(tmp_path, OWN | change)
    with pytest.raises(ValueError, match=message) as caught:
        load_map(path)
    assert str(caught.value).startswith(f"map {path!r}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1, 2", "line 2: not valid YAML"),
        ("- 1", "got list, must be a mapping"),
        ("!!python/name:os.system", "line 1: the tag !!python/name:os.system has no meaning here"),
    ],
)
def test_a_file_that_is_no_map_is_refused(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        load_map(written(tmp_path, content))
    assert "\n" not in str(caught.value)


def test_unknown_maps_and_missing_files_are_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown map '2s3x', allowed: .*, or a path.*did you mean '2s3z'"):
        load_map("2s3x")
    with pytest.raises(ValueError, match=r"map file 'nowhere/own.yaml' cannot be read: .*No such file"):
        load_map("nowhere/own.yaml")
    with pytest.raises(ValueError, match="unknown map '2s3x'"):
        SkirmishSettings(map="2s3x")
