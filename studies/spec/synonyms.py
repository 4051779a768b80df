"""Synonyms of settings and their values, from the literature and other libraries.

Only error messages use them; study files accept no synonyms.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from testbed.common import suggestions

SETTINGS: Mapping[str, tuple[str, ...]] = {
    "alpha": ("consensus.relaxation",),
    "beta": ("consensus.penalty",),
    "rho": ("consensus.penalty",),
    "penalty_parameter": ("consensus.penalty",),
    "steps": ("consensus.budget.activations",),
    "iterations": ("consensus.budget.activations",),
    "max_iterations": ("consensus.budget.activations",),
    "max_iter": ("consensus.budget.activations",),
    "n_iter": ("consensus.budget.activations",),
    "rounds": ("consensus.budget.activations",),
    "epochs": ("training.updates", "consensus.budget.activations"),
    "n_updates": ("training.updates",),
    "num_updates": ("training.updates",),
    "timesteps": ("training.samples", "consensus.budget.seconds"),
    "total_timesteps": ("training.updates",),
    "batch_size": ("training.samples", "update.samples"),
    "tol": ("consensus.budget.tolerance",),
    "tolerance": ("consensus.budget.tolerance",),
    "duration": ("consensus.budget.seconds",),
    "time": ("consensus.budget.seconds",),
    "quantization": ("consensus.codec",),
    "quantisation": ("consensus.codec",),
    "compression": ("consensus.codec",),
    "dtype": ("consensus.codec",),
    "latency": ("network.link.delay",),
    "lag": ("network.link.delay",),
    "bandwidth": ("network.link.rate",),
    "bw": ("network.link.rate",),
    "throughput": ("network.link.rate",),
    "capacity": ("network.link.rate",),
    "packet_loss": ("network.link.loss",),
    "loss_rate": ("network.link.loss",),
    "loss_probability": ("network.link.loss",),
    "drop": ("network.link.loss",),
    "drop_rate": ("network.link.loss",),
    "drop_probability": ("network.link.loss",),
    "plr": ("network.link.loss",),
    "dup": ("network.link.duplicate",),
    "duplication": ("network.link.duplicate",),
    "corruption": ("network.link.corrupt",),
    "reordering": ("network.link.reorder",),
    "queue": ("network.link.limit",),
    "queue_size": ("network.link.limit",),
    "buffer": ("network.link.limit",),
    "buffer_size": ("network.link.limit",),
    "protocol": ("network.transport",),
    "outages": ("network.faults",),
    "failures": ("network.faults",),
    "begin": ("network.faults.down",),
    "start": ("network.faults.down",),
    "from": ("network.faults.down",),
    "at": ("network.faults.down",),
    "end": ("network.faults.up",),
    "stop": ("network.faults.up",),
    "until": ("network.faults.up",),
    "to": ("network.faults.up",),
    "node": ("network.faults.agent",),
    "edge": ("network.faults.link",),
    "n": ("problem.agents", "environment.agents", "topology.nodes"),
    "nodes": ("topology.nodes",),
    "n_agents": ("problem.agents", "environment.agents"),
    "num_agents": ("problem.agents", "environment.agents"),
    "number_of_agents": ("problem.agents", "environment.agents"),
    "n_nodes": ("problem.agents", "environment.agents"),
    "num_nodes": ("problem.agents", "environment.agents"),
    "dim": ("problem.dimension",),
    "d": ("problem.dimension",),
    "graph": ("topology",),
    "env": ("environment",),
    "environment_name": ("environment.name",),
    "task": ("environment",),
    "scenario": ("environment.map", "environment.name"),
    "episode_limit": ("environment.episode_length",),
    "max_steps": ("environment.episode_length",),
    "horizon": ("environment.episode_length",),
    "discount": ("algorithm.gamma",),
    "discount_factor": ("algorithm.gamma",),
    "gae_lambda": ("algorithm.lam",),
    "lr": ("algorithm.learning_rate", "algorithm.critic_rate", "algorithm.actor_rate"),
    "learning_rate": ("algorithm.critic_rate", "algorithm.actor_rate", "algorithm.delta_per_agent"),
    "delta": ("algorithm.delta_per_agent",),
    "max_kl": ("algorithm.delta_per_agent",),
    "trust_region": ("algorithm.delta_per_agent",),
    "hidden_sizes": ("algorithm.hidden",),
    "hidden_units": ("algorithm.hidden",),
    "layers": ("algorithm.hidden",),
    "seed": ("seeds",),
    "n_seeds": ("seeds",),
    "repetitions": ("seeds",),
    "repeats": ("seeds",),
    "runs": ("seeds",),
    "grid": ("vary",),
    "sweep": ("vary",),
    "matrix": ("vary",),
    "title": ("question",),
    "description": ("question",),
    "kind": ("workload",),
    "type": ("name",),
}
"""Name -> settings, the likeliest first. Which of them a study has depends on its workload."""

VALUES: Mapping[str, tuple[str, ...]] = {
    "er": ("erdos_renyi",),
    "gnp": ("erdos_renyi",),
    "random": ("erdos_renyi", "random"),
    "full": ("complete",),
    "fully_connected": ("complete",),
    "clique": ("complete",),
    "all_to_all": ("complete",),
    "cycle": ("ring",),
    "circle": ("ring",),
    "line": ("path",),
    "chain": ("path",),
    "ws": ("watts_strogatz",),
    "small_world": ("watts_strogatz",),
    "ba": ("barabasi_albert",),
    "scale_free": ("barabasi_albert",),
    "rgg": ("random_geometric",),
    "geometric": ("random_geometric",),
    "regular": ("random_regular",),
    "lattice": ("grid",),
    "mesh": ("grid", "complete"),
    "tree": ("balanced_tree",),
    "cube": ("hypercube",),
    "admm": ("edge_admm", "relaxed_admm"),
    "gossip": ("metropolis", "push_sum"),
    "average": ("metropolis",),
    "averaging": ("metropolis",),
    "push": ("push_sum",),
    "sync": ("synchronous",),
    "async": ("asynchronous",),
    "udp": ("datagram",),
    "tcp": ("reliable",),
    "gaussian": ("normal",),
    "fixed": ("constant",),
    "regression": ("least_squares",),
    "linear_regression": ("least_squares",),
    "ols": ("least_squares",),
    "l1": ("lasso",),
    "logistic_regression": ("logistic",),
    "consensus": ("problem", "mean"),
    "train": ("training",),
    "rl": ("training",),
    "down": ("link_down",),
    "failure": ("crash", "link_down"),
    "split": ("partition",),
    "slow": ("straggler",),
    "liar": ("byzantine",),
    "malicious": ("byzantine",),
    "trim": ("trimmed_mean",),
    "wmsr": ("w_msr",),
    "clip": ("clipping",),
    "float": ("float32",),
    "double": ("float64",),
    "half": ("float16",),
    "fp16": ("float16",),
    "fp32": ("float32",),
    "fp64": ("float64",),
    "smac": ("skirmish",),
    "starcraft": ("skirmish",),
    "simple_spread": ("navigation",),
    "spread": ("navigation",),
    "ippo": ("mappo",),
    "ppo": ("mappo",),
    "trpo": ("matrpo", "itrpo", "ctrpo"),
    "yes": ("true",),
    "no": ("false",),
    "on": ("true",),
    "off": ("false",),
    "none": ("null",),
}
"""Name -> values of choices, the likeliest first."""


def closest(name: object, allowed: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The allowed name that is meant: equal up to spelling, a synonym, or similar."""
    names = list(allowed)
    said = _normal(name)
    for each in names:
        if _normal(each) == said:
            return each
    for meant in (*SETTINGS.get(said, ()), *VALUES.get(said, ())):
        last = meant.rpartition(".")[2]
        if last in names:
            return last
    return suggestions.closest(said, names, cutoff)


def did_you_mean(name: object, allowed: Iterable[str]) -> str:
    """``; did you mean 'ring'?`` when an allowed name is close in letters or in meaning, else nothing."""
    near = closest(name, allowed)
    return f"; did you mean {near!r}?" if near else ""


def elsewhere(name: object, paths: Collection[str]) -> str | None:
    """The dotted path of a setting with this name or meaning elsewhere in the study."""
    said = _normal(name)
    meant = [path for path in SETTINGS.get(said, ()) if path in paths]
    called = sorted(
        (path for path in paths if path.rpartition(".")[2] == said), key=lambda path: path.count(".")
    )
    return next(iter([*meant, *called]), None)


def _normal(name: object) -> str:
    return str(name)[:100].strip().lower().replace("-", "_").replace(" ", "_")
