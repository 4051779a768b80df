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
    from studies.api import Results, define, load, run

__all__ = ["Results", "define", "load", "run"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from studies import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
