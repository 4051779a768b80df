"""Made-up curves of agents and links, as training stores them."""

import numpy as np

from studies.spec.loading import load
from studies.storage.store import Store


def rows_of_agents(generator, updates, agents):
    """Random walks of each agent's return and measurements."""
    walks = generator.normal(size=(updates, agents, 5)).cumsum(axis=0)
    names = ("return", "explained_variance", "kl", "kl_played", "entropy")
    return [
        {
            "update": k + 1.0,
            "steps": 1000.0 * (k + 1),
            "seconds": 0.5 * (k + 1),
            "agent": float(agent),
            **dict(zip(names, map(float, walks[k, agent]), strict=True)),
        }
        for k in range(updates)
        for agent in range(agents)
    ]


def rows_of_links(generator, updates, links):
    """Ten to twenty packets each way in every update, of which some are lost."""
    ways = [way for u, v in links for way in ((u, v), (v, u))]
    sent = generator.integers(10, 20, size=(updates, len(ways)))
    lost = generator.binomial(sent, 0.1)
    down = generator.binomial(sent - lost, 0.02)
    delays = generator.exponential(0.01, size=(updates, len(ways)))
    return [
        {
            "update": k + 1.0,
            "steps": 1000.0 * (k + 1),
            "seconds": 0.5 * (k + 1),
            "source": float(u),
            "destination": float(v),
            "sent": float(sent[k, i]),
            "duplicated": 0.0,
            "delivered": float(sent[k, i] - lost[k, i] - down[k, i]),
            "dropped": float(lost[k, i] + down[k, i]),
            "dropped_link_down": float(down[k, i]),
            "dropped_queue_full": 0.0,
            "dropped_loss": float(lost[k, i]),
            "dropped_corrupt": 0.0,
            "dropped_agent_down": 0.0,
            "late": 0.0,
            "bytes": 100.0 * (sent[k, i] - down[k, i]),
            "transmitting": 1e-3 * sent[k, i],
            "utilisation": 2e-3 * sent[k, i],
            "delay": float(delays[k, i]),
            "delay_max": 2 * float(delays[k, i]),
        }
        for k in range(updates)
        for i, (u, v) in enumerate(ways)
    ]


STUDY = """\
question: Who loses, and where?
workload: training
environment: {name: navigation, agents: 3}
vary: {network.link.loss: [0, 0.1]}
seeds: 2
"""


def store_made_up(folder, text=STUDY, updates=8, agents=3, old=0):
    """A study whose trials have made-up curves; the first ``old`` trials have none of agents and links."""
    (folder / "made_up.yaml").write_text(text)
    study, store = load(str(folder / "made_up.yaml")), Store(folder / "out")
    store.remember(study)
    links = sorted(study.trials[0].graph().edges)
    for number, trial in enumerate(study.trials):
        generator = np.random.default_rng(number)
        training = [
            {"update": k + 1.0, "steps": 1e3 * (k + 1), "return": float(generator.normal())}
            for k in range(updates)
        ]
        curves = {"training": training}
        if number >= old:
            curves["agents"] = rows_of_agents(generator, updates, agents)
            curves["links"] = rows_of_links(generator, updates, links)
        store.write(trial, {"return": -1.0, "messages_sent": 0.0}, curves, {"commit": "1"}, 60.0)
    return study, store
