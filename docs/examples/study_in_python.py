"""A study from Python: two topologies, two seeds; run in worker processes, read as a data frame."""

import sys
import tempfile

import studies

STUDY = {
    "question": "After 60 exchanges, are agents nearer to the optimum on a ring or on a complete graph?",
    "workload": "problem",
    "problem": {"name": "mean", "agents": 6, "dimension": 3},
    "consensus": {"penalty": 1.0, "budget": {"activations": 60}},
    "vary": {"topology": ["ring", "complete"]},
    "seeds": 2,
}

if __name__ == "__main__":  # worker processes import this file
    folder = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()
    results = studies.run(studies.define(STUDY, name="example"), folder, jobs=2)
    errors = results.summary.groupby("topology")["error"].mean()
    for topology, error in errors.items():
        print(f"{topology}: mean relative error {error:.1e}")
