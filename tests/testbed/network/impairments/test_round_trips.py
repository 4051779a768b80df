from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from testbed.network import LinkSettings
from testbed.network.impairments.round_trips import one_way_delays


@pytest.mark.parametrize(
    "text",
    [
        "rtt\n0.01\n0.03\n",
        "0.03\n0.01\n",
        "when,rtt_ms\nmon,10\ntue,30\n",
        "round_trip_us;\n".replace(";", "") + "10000\n30000\n",
        "RTT,host\n10ms,a\n0.03s,b\n\n",
        "\ufeffrtt_ms\n10\n\n30\n",
        "host,rtt_ms\na,10\nb,\nc,30\n",
    ],
)
def test_the_column_is_found_and_its_unit_understood(tmp_path: Path, text: str) -> None:
    file = tmp_path / "rtt.csv"
    file.write_text(text, encoding="utf-8")
    delays = one_way_delays(file)
    np.testing.assert_allclose(delays, [0.005, 0.015], rtol=1e-12)
    assert not delays.flags.writeable


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "rtt.csv"
    file.write_text("rtt\n1\n")
    assert one_way_delays(file).tolist() == [0.5]
    file.write_text("rtt\n2.5\n")
    assert one_way_delays(file).tolist() == [1.25]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("rtt_ms\n", "has no measurements"),
        ("rtt_ms\n1\n-2\n", "line 3: '-2ms' is not a duration"),
        ("rtt\n1\nfast\n", "line 3: 'fast' is not a duration"),
        ("host,ms\na,1\n", "has no column rtt, rtt_ms or round_trip: the first line is 'host, ms'"),
        ("host,rtt\na\n", "line 2: there is no column 2"),
        ("rtt_parsec\n1\n", "has no column rtt"),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "rtt.csv"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"round_trips '.*rtt\.csv'") as caught:
        one_way_delays(file)
    assert message in str(caught.value)


def test_a_missing_file_is_found_out_when_the_settings_are_made(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"gone\.csv' cannot be read \(No such file or directory\)"):
        LinkSettings.model_validate({"distribution": "empirical", "round_trips": tmp_path / "gone.csv"})
    with pytest.raises(ValidationError, match="distribution empirical needs round_trips"):
        LinkSettings.model_validate({"distribution": "empirical"})
