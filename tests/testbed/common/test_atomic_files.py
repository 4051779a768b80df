"""Files that appear whole or not at all."""

import errno
from pathlib import Path

import pytest

from testbed.common.atomic_files import atomic_write

FULL = "No space left on device"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((errno.ENOSPC, FULL), "table"),
        ((errno.ENOSPC, f"Error writing bytes to file. Detail: [errno 28] {FULL}"), "table"),
        ((errno.ENOSPC, FULL, "another"), "another"),
    ],
)
def test_a_disk_that_is_full_names_the_file_and_leaves_the_one_before(
    arguments: tuple[int, str], named: str, tmp_path: Path
) -> None:
    place = tmp_path / "table"
    place.write_text("before")

    def written() -> None:
        with atomic_write(place) as part:
            part.write_text("half of")
            raise OSError(*arguments)

    with pytest.raises(OSError, match=FULL) as raised:
        written()
    assert (Path(raised.value.filename).name, raised.value.strerror) == (named, FULL)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("table", "before")]


def test_a_name_that_is_taken_by_a_folder_is_said_without_that_of_the_part(tmp_path: Path) -> None:
    (tmp_path / "table").mkdir()
    with pytest.raises(OSError, match=r"/table'$") as raised, atomic_write(tmp_path / "table") as part:
        part.write_text("all")
    assert raised.value.filename == str(tmp_path / "table")
