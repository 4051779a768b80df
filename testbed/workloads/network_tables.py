"""Tables about the network of a trial: effects of faults, and traffic of each direction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

import networkx as nx

import topologies
from testbed.network import Network
from testbed.network.faults.windows import window_row
from testbed.network.link_series import POINTS, LinkSeries

Row = dict[str, float]
Table = Sequence[Mapping[str, float | str]]


class ConsensusLinks:
    """The traffic of each direction in the course of one consensus run: at most ``POINTS`` intervals."""

    def __init__(self, network: Network) -> None:
        """Measure from now on; no packet may have been sent."""
        self._series = LinkSeries(network.measure_traffic(), POINTS)

    def observing(self, progress: Callable[[Row], None] | None) -> Callable[[Row], None]:
        """A receiver of the rows of the run's curve, which end intervals, that passes them on."""

        def observe(row: Row) -> None:
            if row["activations"] or row["seconds"]:  # the first row is the beginning
                self._series.mark(_place(row))
            if progress is not None:
                progress(row)

        return observe

    def table(self, curve: Sequence[Row]) -> dict[str, Table]:
        """The table ``links`` of a run that is over, by its curve; none if there was no run or no link."""
        if not curve:
            return {}
        self._series.mark(_place(curve[-1]), last=True)
        rows = self._series.rows()
        return {"links": rows} if rows else {}


def _place(row: Row) -> Row:
    return {name: row[name] for name in ("activations", "seconds")}


def names_table(graph: "nx.Graph[int]") -> dict[str, Table]:
    """The table ``names`` of a graph whose file names its nodes; none for other graphs."""
    given = topologies.given_names(graph)
    return {"names": [{"agent": float(node), "name": name} for node, name in given.items()]} if given else {}


def network_tables(network: Network) -> dict[str, Table]:
    """Tables of each fault's effects and active times, and of each direction's traffic."""
    reports = network.faults_report()
    tables: dict[str, Table] = {}
    if reports:
        tables["faults"] = [{**asdict(report), "touched": report.touched} for report in reports]
    if windows := network.fault_windows():
        tables["fault_windows"] = [window_row(window) for window in windows]
    if network.traffic is None:
        return tables
    now = network.clock.now
    tables["traffic"] = [
        {
            "source": float(load.source),
            "destination": float(load.destination),
            "bytes": float(load.bytes),
            "transmitting": load.transmitting,
            "utilisation": load.transmitting / now if now > 0 else 0.0,
        }
        for load in network.traffic.loads()
    ]
    return tables
