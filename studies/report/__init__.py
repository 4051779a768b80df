"""The results of a study as one page that needs nothing else: ``testbed report``.

``build`` assembles it: the stored results are grouped by condition (``conditions``), thinned and given
intervals by the statistics of the figures (``curves``, ``final_values``, ``series``), one trial is run again
for its replay (``rerun``, ``recording``, ``replay``, ``event_text``), and ``page`` joins everything with the
style and the scripts in ``assets``.
"""

from studies.report.build import Report, write

__all__ = ["Report", "write"]
