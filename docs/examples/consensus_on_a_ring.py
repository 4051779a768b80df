"""Edge-ADMM on a convex problem: how far agents on a ring are from the optimum, without and with losses."""

import topologies
from testbed import workloads

for loss in (0.0, 0.3):
    trial = workloads.ProblemWorkload(
        problem={"name": "least_squares", "agents": 8, "dimension": 4},
        network={"link": {"delay": "5ms", "loss": loss}},
        consensus={"penalty": 4.0, "budget": {"activations": 600}},
    )
    result = workloads.run(trial, seed=0, graph=topologies.make("ring", 8))
    error, exchanges = result.metrics["error"], result.metrics["exchanges"]
    print(f"loss {loss:.0%}: {exchanges:.0f} completed exchanges, relative error {error:.1e}")
