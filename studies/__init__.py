"""Study files, the runner, the store, figures and the command line; and all of it from Python.

::

    import studies

    study = studies.define({"workload": "problem", "vary": {"network.link.loss": [0, 0.3]}, "seeds": 5})
    results = studies.run(study, "runs/loss")
    results.plot("error_by_activations")
"""

from studies.api import Results, define, load, run

__all__ = ["Results", "define", "load", "run"]
