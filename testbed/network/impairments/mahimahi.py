"""Packet-delivery files of mahimahi (Netravali et al., USENIX ATC 2015), such as those of cellular links.

Each line is a whole number of milliseconds, ascending and perhaps repeated: an opportunity to deliver 1504
bytes. The file begins again at its end, which is its last opportunity. Here the opportunities of a
millisecond are a rate that lasts for the millisecond before it, so a packet is split over opportunities, and
bytes are never lost because no packet was there to use them: unlike in mahimahi, which delivers whole
packets at the opportunity.
"""

import numpy as np
from numpy.typing import NDArray

from testbed.common.measurements import Column, read_table

BYTES = 1504
"""Bytes of one opportunity."""

_MILLISECONDS = {"milliseconds": Column(1e12, needed=True, whole=True)}


def is_packet_delivery(data: bytes) -> bool:
    """Whether the bytes of a file begin with a line that has only digits."""
    return data.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n").partition(b"\n")[0].strip().isdigit()


def rates_of(place: str, data: bytes) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
    """Starts of spans of one rate in seconds, seconds of all of them, and the rates in bytes per second.

    Raises ValueError, naming the file and the line, if it is not a packet-delivery file; ``place`` is how
    messages name it.
    """
    table = read_table(place, data, _MILLISECONDS, header=("milliseconds",))
    times = table.columns["milliseconds"]
    table.refuse_disorder("milliseconds", "ms")
    end = times[-1]
    if end == 0:
        raise table.error(len(times) - 1, "milliseconds", "the last opportunity must come after 0")
    # The opportunities at 0 are those at the end of the time before.
    ends, opportunities = np.unique(np.where(times == 0, end, times), return_counts=True)
    gaps = ends[:-1][np.diff(ends) > 1]
    silent = np.concatenate([[0.0] if ends[0] > 1 else [], gaps])
    starts = np.concatenate([ends - 1, silent])
    rates = np.concatenate([opportunities * BYTES * 1000.0, np.zeros(len(silent))])
    order = np.argsort(starts)
    return starts[order] / 1000, float(end / 1000), rates[order]
