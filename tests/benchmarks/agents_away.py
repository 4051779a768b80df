"""Which agents have left the landmarks for good, after a study of navigation: table and figure by returns.

    python tests/benchmarks/agents_away.py STUDY --out RUNS --to FOLDER [--set A.B=C ...]

Plays the models of every finished trial for 100 episodes and counts, for each agent, the share of them at
whose last step but one it is more than 1.5 from the centre along an axis; landmarks are drawn within 1.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import seaborn as sns

from studies.spec.loading import load
from studies.spec.study import TrialSpec
from studies.storage.store import Store
from testbed.common import checkpoints
from testbed.training.trainer import spaces

EPISODES, SEED, AWAY = 100, 0, 1.5


def away(trial: TrialSpec, models: Path) -> list[float]:
    """The share of episodes in which each agent is away in the end."""
    world = trial.settings.environment.make(EPISODES)
    learner = trial.settings.algorithm.make(spaces(world), np.random.default_rng(SEED))
    learner.load_state_dict(checkpoints.load(models, None)["learner"])
    generator = np.random.default_rng(SEED)
    observations, _ = world.reset(SEED)
    for _ in range(world.episode_length - 1):
        observations, *_ = world.step(learner.act(observations, None, generator))
    return list((np.abs(world.state["pos"]).max(-1) > AWAY).mean(0).round(2))


def main() -> None:
    """Writes away.csv, and away.png by what the study compares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("study")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--set", action="append", default=[])
    options = parser.parse_args()
    study, store = load(options.study, overrides=options.set), Store(options.out)
    returns = store.summarise(study).set_index("trial")["return"]
    rows = []
    for trial in study.trials:
        if (models := store.models(trial)) is not None:
            gone = {f"away_{agent}": share for agent, share in enumerate(away(trial, models))}
            rows.append({**trial.varied, "seed": trial.seed, "return": returns[trial.hash], **gone})
    table = pd.DataFrame(rows)
    table.to_csv(options.to / "away.csv", index=False, float_format="%.2f")
    gone = (table.filter(regex=r"^away_\d+$") > 0.5).sum(axis=1)
    sns.set_theme(context="notebook", style="whitegrid")
    counts = sorted(gone.unique())  # type: ignore[attr-defined]
    grid = sns.relplot(
        table.assign(**{"agents away": gone}),
        x="return",
        y=study.comparison_factor,
        hue="agents away",
        hue_order=counts,
        palette=sns.color_palette("viridis", len(counts) + 1)[: len(counts)],
        s=90,
        height=4,
        aspect=1.8,
    )
    grid.set_axis_labels("team return per episode, last tenth of the updates; a point per trial", "")
    grid.savefig(options.to / "away.png", dpi=150)


if __name__ == "__main__":
    main()
