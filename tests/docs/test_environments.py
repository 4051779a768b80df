"""The page of environments: its study of a game of turns, which needs only PettingZoo's board games."""

from pathlib import Path

import pytest
from page_blocks import blocks

from studies.cli.main import main

PAGE = Path(__file__).parents[2] / "docs" / "environments.md"


def command(*arguments):
    """The exit code of `testbed` with these arguments."""
    with pytest.raises(SystemExit) as done:
        main([*map(str, arguments)])
    return done.value.code


@pytest.mark.filterwarnings("ignore:The old environment creation API:DeprecationWarning")
def test_the_game_of_turns_is_a_study_that_can_be_checked_and_played(tmp_path, capsys):
    pytest.importorskip("pygame", reason="PettingZoo's board games draw with pygame")
    (study,) = (block.text for block in blocks(PAGE) if "tictactoe" in block.text)
    path = tmp_path / "game.yaml"
    path.write_text(study)
    assert command("validate", path) == 0
    assert "1 trial" in capsys.readouterr().out
    assert command("play", path, "--policy", "random", "--out", tmp_path / "game.gif") == 0
    assert "return 0.00" in capsys.readouterr().out  # one player's gain is the other's loss
    assert (tmp_path / "game.gif").stat().st_size > 0
