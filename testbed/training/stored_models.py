"""Models that a training trial has stored, as the start of another trial."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from policies.algorithms.learner import Learner
from testbed.common import checkpoints
from testbed.common.settings import SettingError, Settings

MODELS = ("update", "models")
"""The keys of the setting of one policy update that names stored models."""

START_FROM = ("training", "start_from")
"""The keys of the setting of training that names stored models."""


class TrainedTrial(Settings):
    """A finished training trial among others: that of the same seed."""

    run: Annotated[Path, Field(description="results folder of a training study")]
    where: dict[str, str | int | float | bool] = Field(
        default_factory=dict,
        description="values of what that study varies, until one trial of each seed is left",
    )


def load_models(path: Path, learner: Learner, keys: tuple[str, ...] = MODELS) -> None:
    """Give a learner the models that a training trial has stored, with the state of their optimisers.

    Args:
        path: a file as a trial's folder has it, `models.pt`.
        learner: of the same algorithm, with networks of the same sizes.
        keys: of the setting that names the file, for errors.

    Raises:
        SettingError: the file cannot be read, or its models belong to other networks or another algorithm.
    """
    field = ".".join(keys)
    try:
        state = checkpoints.load(path, None)
        learner.load_state_dict(state["learner"])
    except checkpoints.CheckpointError as error:
        raise SettingError(keys, str(error), field=field) from error
    except KeyError as error:
        raise SettingError(keys, f"{path} holds no models of this algorithm", field=field) from error
    except ValueError as error:
        raise SettingError(keys, f"{path}: {error}", field=field) from error
