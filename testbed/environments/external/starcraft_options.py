"""Options of SMAC's battles that change the game, checked here and passed on to SMAC's `StarCraft2Env`."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from testbed.common.settings import Settings


def _digit(value: Any) -> Any:
    """SMAC's difficulties are texts, most of them digits, which YAML reads as numbers."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class StarCraftOptions(Settings):
    """Arguments of SMAC's `StarCraft2Env`, with its names and defaults; those left out are not passed."""

    difficulty: Annotated[
        Literal["1", "2", "3", "4", "5", "6", "7", "8", "9", "A"], BeforeValidator(_digit)
    ] = "7"
    """The enemy's strength, from `1` (very easy) over `7` (very hard) to `8`, `9` and `A`, which cheat."""
    game_version: Annotated[str, Field(pattern=r"^(latest|\d+\.\d+(\.\d+)?)$")] | None = None
    """The version of StarCraft II, such as `4.10`; null: the newest that is installed."""
    step_mul: Annotated[int, Field(ge=1, le=10_000)] = 8
    """Game steps per step of the agents."""
    move_amount: Annotated[int, Field(ge=1)] = 2
    """Distance of a move's goal."""
    obs_all_health: bool = True
    """Whether agents observe the health of all units in sight."""
    obs_own_health: bool = True
    """Whether agents observe their own health where `obs_all_health` is false."""
    obs_last_action: bool = False
    """Whether agents observe the last actions of all units in sight."""
    obs_pathing_grid: bool = False
    """Whether agents observe which points around them can be walked."""
    obs_terrain_height: bool = False
    """Whether agents observe the height of the terrain around them."""
    obs_timestep_number: bool = False
    """Whether agents observe the share of the step limit that has passed."""
    obs_instead_of_state: bool = False
    """Whether the state vector is all agents' observations in one."""
    state_last_action: bool = True
    """Whether the state vector has all agents' last actions."""
    state_timestep_number: bool = False
    """Whether the state vector has the share of the step limit that has passed."""
    reward_sparse: bool = False
    """Whether the reward is 1 for a victory, -1 for a defeat and otherwise 0, times the scale of
    `reward_scale`."""
    reward_only_positive: bool = True
    """Whether damage to, and deaths of, one's own units cost nothing."""
    reward_death_value: Annotated[float, Field(ge=0)] = 10.0
    """Reward for the death of an enemy."""
    reward_win: Annotated[float, Field(ge=0)] = 200.0
    """Reward for a victory."""
    reward_defeat: Annotated[float, Field(le=0)] = 0.0
    """Reward for a defeat."""
    reward_negative_scale: Annotated[float, Field(ge=0)] = 0.5
    """Factor of negative rewards where `reward_only_positive` is false."""
    reward_scale: bool = True
    """Whether rewards are scaled so that a victory without losses gives `reward_scale_rate`."""
    reward_scale_rate: Annotated[float, Field(gt=0)] = 20.0
    """The scaled return of a victory."""

    def passed(self) -> dict[str, Any]:
        """The options that differ from SMAC's defaults."""
        fields = type(self).model_fields
        return {name: value for name, value in self if value != fields[name].default}
