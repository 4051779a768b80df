"""Statistics over seeds: conditions, paired comparisons, bootstrap intervals, baselines."""
