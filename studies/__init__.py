"""Study files, the runner, the store, figures and the command line; and all of it from Python.

::

    import studies

    study = studies.define({"workload": "problem", "vary": {"network.link.loss": [0, 0.3]}, "seeds": 5})
    results = studies.run(study, "runs/loss")
    results.plot("error_by_activations")
"""

# Loaded on demand: otherwise the command `testbed` could not be stopped cleanly while it imports.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from studies.api import Results, compare, define, load, run, write_report
    from studies.archive import export
    from studies.trials_api import save_batch, trace

__all__ = ["Results", "compare", "define", "export", "load", "run", "save_batch", "trace", "write_report"]

_ELSEWHERE = {"export": "studies.archive", "save_batch": "studies.trials_api", "trace": "studies.trials_api"}
"""Modules of those that are not in ``studies.api``."""


def __getattr__(name: str) -> object:
    if name in __all__:
        from importlib import import_module

        from testbed.common.garbage import not_collected

        with not_collected():
            return getattr(import_module(_ELSEWHERE.get(name, "studies.api")), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
