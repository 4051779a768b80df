"""Stored batches: what was saved comes back, and no damage brings anything but one line."""

from pathlib import Path

import numpy as np
import pytest

from policies import batch
from policies.batch import Batch


def _batch(**changed: object) -> Batch:
    draws, lead = np.random.default_rng(0), (3, 2, 2)
    arrays: dict[str, object] = {
        "observations": draws.random((*lead, 4)).astype(np.float32),
        "next_observations": draws.random((*lead, 4)).astype(np.float32),
        "actions": draws.integers(0, 3, lead),
        "rewards": draws.random(lead),
        "terminations": np.zeros(lead, bool),
        "boundaries": np.zeros(lead, bool),
        "masks": np.ones((*lead, 3), bool),
    }
    return Batch(**(arrays | changed))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("stored") / "batch.npz"
    _batch().save(path)
    for name, array in vars(Batch.load(path)).items():
        assert np.array_equal(array, getattr(_batch(), name))
    return path.read_bytes()


def _refused(path: Path) -> str:
    with pytest.raises(ValueError, match="batch: ") as caught:
        Batch.load(path)
    words = str(caught.value)
    assert "\n" not in words
    assert str(path) in words
    return words


def test_a_batch_cut_off_anywhere_is_refused_in_one_line(stored: bytes, tmp_path: Path) -> None:
    for length in range(0, len(stored), 37):
        (tmp_path / "cut.npz").write_bytes(stored[:length])
        _refused(tmp_path / "cut.npz")


def test_damage_anywhere_brings_nothing_but_a_batch_or_one_line(stored: bytes, tmp_path: Path) -> None:
    draws = np.random.default_rng(1)
    for _ in range(300):
        content = bytearray(stored)
        for place in draws.integers(0, len(content), 3):
            content[place] = draws.integers(0, 256)
        (tmp_path / "damaged.npz").write_bytes(content)
        try:
            Batch.load(tmp_path / "damaged.npz")
        except ValueError as error:
            assert "\n" not in str(error)  # noqa: PT017 - either outcome is fine, this one has a condition


def test_other_files_and_folders_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.zeros(3))
    np.savez(tmp_path / "others.npz", a=np.zeros(3))
    np.savez(tmp_path / "pickled.npz", rewards=np.array([{}], dtype=object))
    (tmp_path / "words.npz").write_text("nothing")
    (tmp_path / "empty.npz").write_bytes(b"")
    for name in ("one.npy", "others.npz", "pickled.npz", "words.npz", "empty.npz"):
        assert "is not a stored batch" in _refused(tmp_path / name)
    for name in (".", "missing.npz"):
        assert "is not a file" in _refused(tmp_path / name)


def test_a_small_file_that_unpacks_to_a_large_one_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _batch(observations=np.zeros((3, 2, 2, 10**5), np.float32)).save(tmp_path / "bomb.npz")
    assert (tmp_path / "bomb.npz").stat().st_size < 10**5
    monkeypatch.setattr(batch, "LARGEST", 4 * 10**6)
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("it was read"))
    assert "unpacks to 4,80" in (said := _refused(tmp_path / "bomb.npz"))
    assert "bytes, must be at most 4,000,000" in said


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rewards": np.zeros((3, 2))}, "rewards have shape (3, 2), must have [steps, episodes, agents]"),
        ({"rewards": np.zeros((0, 2, 2))}, "rewards have shape (0, 2, 2), must have"),
        ({"rewards": np.full((3, 2, 2), np.nan)}, "rewards are not all finite"),
        ({"actions": np.zeros((3, 2, 2))}, "actions are float64, must be integers"),
        (
            {"actions": np.zeros((4, 2, 2), int)},
            "actions begins with (4, 2, 2), must begin with (3, 2, 2), as rewards",
        ),
        ({"terminations": np.zeros((3, 2, 2), int)}, "terminations are int64, must be true or false"),
        ({"masks": np.ones((3, 2, 2), bool)}, "masks has 3 axes, must have 4"),
        ({"observations": np.zeros((3, 2, 2), np.float32)}, "observations has 3 axes, must have 4"),
        ({"observations": np.zeros((3, 2, 2, 5), np.float32)}, "observations and next_observations differ"),
        ({"observations": np.full((3, 2, 2, 4), np.inf, np.float32)}, "observations are not all finite"),
    ],
)
def test_arrays_that_are_no_batch_are_named(changed: dict[str, object], message: str, tmp_path: Path) -> None:
    _batch(**changed).save(tmp_path / "batch.npz")
    assert message in _refused(tmp_path / "batch.npz")
