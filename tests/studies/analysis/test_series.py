"""Curves of agents and links of many trials, thinned as they are read."""

import numpy as np
import pandas as pd
import pytest
from made_up_series import store_made_up

from studies.analysis import series
from studies.analysis.resampling import POINTS
from studies.spec.document import StudyError

SUMS = ["sent", "delivered", "dropped", "dropped_link_down", "dropped_loss", "bytes", "transmitting"]
WAY = ["trial", "source", "destination"]


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    return store_made_up(tmp_path_factory.mktemp("long"), updates=450)


def test_agents_keep_evenly_spaced_updates_as_they_were(long):
    study, store = long
    whole, thinned = store.curve(study, "agents"), series.agents(study, store)
    assert thinned["update"].nunique() == POINTS
    assert {1.0, 450.0} <= set(thinned["update"])
    assert len(thinned) == 4 * 3 * POINTS
    merged = thinned.merge(whole, how="left")
    assert merged.notna().all().all()
    assert len(merged) == len(thinned)


def test_links_keep_every_sum_in_equal_intervals(long):
    study, store = long
    whole, thinned = store.curve(study, "links"), series.links(study, store)
    ends = np.sort(thinned["update"].unique())
    assert list(ends) == list(range(5, 451, 5))
    ours, theirs = (table.groupby(WAY)[SUMS].sum() for table in (thinned, whole))
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-12)
    first = whole[whole["update"] <= 5]
    expected = (first["delay"] * first["delivered"]).groupby([first[name] for name in WAY]).sum()
    found = thinned[thinned["update"] == 5].set_index(WAY)
    delivered = first.groupby(WAY)["delivered"].sum()
    assert found["delay"].to_numpy() == pytest.approx((expected / delivered)[found.index].to_numpy())
    longest = first.groupby(WAY)["delay_max"].max()
    assert found["delay_max"].to_numpy() == pytest.approx(longest[found.index].to_numpy())
    shares = first.groupby(WAY)["utilisation"].mean()  # its intervals are equally long
    assert found["utilisation"].to_numpy() == pytest.approx(shares[found.index].to_numpy())


def test_trials_of_earlier_versions_have_no_such_curves_and_are_left_out(tmp_path):
    study, store = store_made_up(tmp_path, old=4)
    assert series.agents(study, store).empty
    assert series.links(study, store).empty
    assert store.curve(study, "agents").empty
    (tmp_path / "some").mkdir()
    study, store = store_made_up(tmp_path / "some", old=1)
    kept = {trial.hash for trial in study.trials[1:]}
    assert set(series.agents(study, store)["trial"]) == kept == set(series.links(study, store)["trial"])


def test_a_table_without_its_columns_is_one_line(tmp_path, monkeypatch):
    study, store = store_made_up(tmp_path, updates=2)
    trial = study.trials[0]
    read = store.read_table
    monkeypatch.setattr(store, "read_table", lambda *given: read(*given).drop_columns(["agent"]))
    with pytest.raises(
        StudyError, match=f"trial {trial.hash}: curves_agents.parquet: lacks the column 'agent'"
    ):
        series.agents(study, store)
