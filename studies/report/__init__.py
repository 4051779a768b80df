"""The results of a study as one page that needs nothing else: ``testbed report``.

``writing`` puts it together: what is stored is arranged (``arrangement``), thinned and given its intervals by
the statistics of the figures (``lines``, ``finals``), one trial is run again for its replay (``again``,
``recording``, ``replay``, ``wording``), and ``page`` joins it with the style and the scripts in ``assets``.
"""

from studies.report.build import Report, write

__all__ = ["Report", "write"]
