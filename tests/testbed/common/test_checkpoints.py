"""Checkpoints: what comes back, and what is noticed."""

import numpy as np
import pytest
import torch

from testbed.common import checkpoints


def test_checkpoints_bring_back_arrays_tensors_and_plain_values(tmp_path):
    state = {
        "array": np.arange(6.0).reshape(2, 3),
        "flags": np.array([True, False]),
        "nested": {"tensor": torch.ones(2), "list": [1, "two", None, 2**100]},
    }
    checkpoints.save(tmp_path / "c", state, "me")
    back = checkpoints.load(tmp_path / "c", "me")
    np.testing.assert_array_equal(back["array"], state["array"])
    assert back["flags"].dtype == bool
    assert torch.equal(back["nested"]["tensor"], torch.ones(2))
    assert back["nested"]["list"] == [1, "two", None, 2**100]
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_one_wrong_bit_anywhere_is_noticed(tmp_path):
    path = tmp_path / "c"
    checkpoints.save(path, {"numbers": np.arange(50.0)}, "me")
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(checkpoints.DamagedError, match="cannot be read") as refused:
            checkpoints.load(path, "me")
        assert "\n" not in str(refused.value)
    for length in (0, 10, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(checkpoints.DamagedError):
            checkpoints.load(path, "me")


def test_the_one_before_is_used_when_the_last_is_damaged_or_was_not_yet_in_its_place(tmp_path):
    path = tmp_path / "c"
    assert checkpoints.resume(path, "me") is None
    for update in (1, 2, 3):
        checkpoints.keep(path, {"update": update}, "me")
    assert checkpoints.resume(path, "me") == {"update": 3}
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.warns(UserWarning, match="its checksum is wrong.; continuing from the one before"):
        assert checkpoints.resume(path, "me") == {"update": 2}
    path.unlink()
    assert checkpoints.resume(path, "me") == {"update": 2}
    checkpoints.remove(path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_begun_anew_without_a_word(tmp_path):
    path = tmp_path / "c"
    checkpoints.keep(path, {}, "me")
    path.write_bytes(b"")
    with pytest.raises(checkpoints.CheckpointError, match="no earlier one: remove it to start again"):
        checkpoints.resume(path, "me")


def test_the_checkpoint_of_another_trial_is_no_reason_to_use_an_older_one(tmp_path):
    path = tmp_path / "c"
    checkpoints.keep(path, {}, "me")
    checkpoints.keep(path, {}, "you")
    with pytest.raises(checkpoints.CheckpointError, match="other settings or another seed"):
        checkpoints.resume(path, "me")
