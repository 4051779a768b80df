#!/usr/bin/env bash
# A study on the processors of one node, without Ray:
#
#     sbatch slurm_one_node.sh STUDY OUT [arguments of `testbed run`]
#
# Shortly before the time limit the trials stop where they are; submitted again, the job continues them.
# Not run on a SLURM cluster, only with stand-ins for its programs.
#SBATCH --job-name=testbed
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=16
#SBATCH --mem=32G
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@120
set -euo pipefail

study=${1:?the study file}
out=${2:?the folder of the results, on a file system that outlives the job}
shift 2

srun --ntasks=1 --cpus-per-task="$SLURM_CPUS_PER_TASK" \
    testbed run "$study" --out "$out" --jobs "$SLURM_CPUS_PER_TASK" "$@"
