"""The catalogue of figures, by workload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from studies.figures.agent_curves import AgentCurves
from studies.figures.curve import Curve
from studies.figures.final import Final
from studies.figures.forest_plot import Differences, Improvement
from studies.figures.heat_map import HeatMap
from studies.figures.link_drops import LinkDrops
from studies.figures.plan import Plan
from studies.figures.scatter import Against

COMPARISONS = (Improvement("probability_of_improvement"), Differences("paired_differences"))
"""Figures that compare the values of a study's first varied column."""
DISAGREEMENT = (
    Curve("disagreement_by_activations", "consensus", "activations", "relative_disagreement"),
    Curve("disagreement_by_seconds", "consensus", "seconds", "relative_disagreement"),
    Curve("disagreement_by_bytes", "consensus", "bytes", "relative_disagreement"),
)
TRAFFIC = (
    Curve("message_age_by_seconds", "consensus", "seconds", "message_age"),
    Final("message_age", "message_age_average", when="average over the agreement"),
    Final("utilisation", "utilisation", when="average over the agreement"),
    LinkDrops("drops_by_link"),
)
"""Message age, link utilisation (only if links have a rate), and dropped packets."""
PLANS: Mapping[str, Sequence[Plan]] = {
    "problem": (
        *DISAGREEMENT,
        Curve("error_by_activations", "consensus", "activations", "error"),
        Curve("error_by_seconds", "consensus", "seconds", "error"),
        Curve("error_by_bytes", "consensus", "bytes", "error"),
        Curve("residual_by_activations", "consensus", "activations", "primal_residual"),
        Curve("residual_by_seconds", "consensus", "seconds", "primal_residual"),
        Curve("residual_by_bytes", "consensus", "bytes", "primal_residual"),
        *TRAFFIC,
        Final("final_error", "error"),
        HeatMap("heat_map_of_error", "error"),
        HeatMap("heat_map_of_disagreement", "relative_disagreement"),
    ),
    "update": (
        *DISAGREEMENT,
        *TRAFFIC,
        Final("final_disagreement", "relative_disagreement"),
        Final("binding", "binding", when="at the last solve"),
        Final("surrogate_gain", "surrogate_gain", when="on the batch"),
        Final("heldout_gain", "heldout_gain", when="after the update"),
        Final("heldout_played_gain", "heldout_played_gain", when="after the update"),
        HeatMap("heat_map_of_disagreement", "relative_disagreement"),
        HeatMap("heat_map_of_surrogate_gain", "surrogate_gain", when="on the batch"),
        HeatMap("heat_map_of_heldout_gain", "heldout_gain", when="after the update"),
        Against("disagreement_by_error", "solve_error", "relative_disagreement"),
        Against("surrogate_gain_by_error", "solve_error", "surrogate_gain", when="on the batch"),
        Against("heldout_gain_by_error", "solve_error", "heldout_gain", when="after the update"),
    ),
    "training": (
        Curve("return_by_steps", "training", "steps", "return"),
        Curve("return_by_seconds", "training", "seconds", "return"),
        Curve("return_by_bytes", "training", "bytes", "return"),
        Curve("win_rate_by_steps", "training", "steps", "return_battle_won"),
        Curve("evaluation_return_by_steps", "training", "steps", "evaluation_return"),
        Curve("evaluation_win_rate_by_steps", "training", "steps", "evaluation_return_battle_won"),
        AgentCurves("return_by_agent", "return"),
        AgentCurves("acting_share_by_agent", "acting_share"),
        LinkDrops("drops_by_link"),
        Curve("disagreement_by_update", "training", "update", "relative_disagreement"),
        *DISAGREEMENT,
        Final("final_return", "return", when="last tenth of the updates"),
        Final("final_win_rate", "return_battle_won", when="last tenth of the updates"),
        Final("final_disagreement", "relative_disagreement", when="last update"),
        HeatMap("heat_map_of_return", "return", when="last tenth of the updates"),
        HeatMap("heat_map_of_disagreement", "relative_disagreement", when="last update"),
        Against("final_return_by_bytes", "bytes_sent", "return", when="last tenth of the updates"),
        *COMPARISONS,
    ),
}
"""Figures of each workload; a figure without data in a study is left out."""
