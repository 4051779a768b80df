"""Algorithms by name.

To add one, write a module with its settings and its `Learner`, and add both here. Settings of an algorithm
are a `Settings` model with

* `name`, a literal whose default is the algorithm's name;
* `device`, where its networks are;
* `communication`, a class variable: what it asks of the network (see `learner.Kind`).
"""

from typing import Annotated, Any, get_args

import numpy as np
from pydantic import BeforeValidator, Field

from policies.algorithms.ctrpo import Ctrpo, CtrpoSettings
from policies.algorithms.fdmarl import Fdmarl, FdmarlSettings
from policies.algorithms.fdmarl_online import OnlineFdmarl
from policies.algorithms.itrpo import Itrpo, ItrpoSettings
from policies.algorithms.learner import Learner, Spaces
from policies.algorithms.mappo import Mappo, MappoSettings
from policies.algorithms.matrpo import Matrpo, MatrpoSettings

DEFAULT = MatrpoSettings()
"""The algorithm of those who do not name one."""


def _default_name(given: Any) -> Any:
    return {"name": DEFAULT.name, **given} if isinstance(given, dict) else given


AlgorithmSettings = Annotated[
    MatrpoSettings | ItrpoSettings | CtrpoSettings | MappoSettings | FdmarlSettings,
    Field(discriminator="name"),
    BeforeValidator(_default_name),
]
"""Which algorithm, and its options. Without a `name` it is MATRPO."""

NAMES: tuple[str, ...] = tuple(
    model.model_fields["name"].default for model in get_args(get_args(AlgorithmSettings)[0])
)


def make_learner(settings: AlgorithmSettings, spaces: Spaces, generator: np.random.Generator) -> Learner:
    """The algorithm's agents before they have learnt, their networks drawn from ``generator``."""
    match settings:
        case MatrpoSettings():
            return Matrpo(settings, spaces, generator)
        case ItrpoSettings():
            return Itrpo(settings, spaces, generator)
        case CtrpoSettings():
            return Ctrpo(settings, spaces, generator)
        case MappoSettings():
            return Mappo(settings, spaces, generator)
        case FdmarlSettings():
            return (OnlineFdmarl if settings.form == "online" else Fdmarl)(settings, spaces, generator)
