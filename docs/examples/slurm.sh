#!/usr/bin/env bash
# A study on several nodes, as a Ray cluster that lasts as long as the job:
#
#     sbatch --nodes=4 slurm.sh STUDY OUT [arguments of `testbed run`]
#
# OUT must be on a file system that all nodes share. Submitted again, the job continues the trials. With GPUs, add
# `#SBATCH --gpus-per-node=1`: Ray finds those that SLURM grants. Not run on a SLURM cluster, only with stand-ins
# for its programs and Ray's.
#SBATCH --job-name=testbed
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --mem=32G
#SBATCH --time=24:00:00
set -euo pipefail

study=${1:?the study file}
out=${2:?the folder of the results, shared by all nodes}
shift 2

export RAY_USAGE_STATS_ENABLED=0
port=$((20000 + SLURM_JOB_ID % 20000))   # so that two jobs on one node do not meet
nodes=()
while read -r node; do nodes+=("$node"); done < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${nodes[0]}
address=$(srun --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address)
address=${address%% *}   # the first, where a node has several

steps=()
finish() {
    for step in "${steps[@]}"; do kill "$step" 2>/dev/null || true; done
    wait
}
trap finish EXIT

# Each node's step lasts until it is ended: --block keeps `ray start` running.
start() {
    local node=$1
    shift
    srun --nodes=1 --ntasks=1 --nodelist="$node" --cpus-per-task="$SLURM_CPUS_PER_TASK" --overlap \
        ray start "$@" --num-cpus="$SLURM_CPUS_PER_TASK" --block &
    steps+=("$!")
}

start "$head" --head --node-ip-address="$address" --port="$port" --include-dashboard=false
for ((attempt = 1; ; attempt++)); do
    srun --nodes=1 --ntasks=1 --nodelist="$head" --overlap ray status --address="$address:$port" && break
    ((attempt < 30)) || { echo "the head of the Ray cluster did not answer at $address:$port" >&2; exit 1; }
    sleep 5
done
for node in "${nodes[@]:1}"; do
    start "$node" --address="$address:$port"
done

srun --nodes=1 --ntasks=1 --nodelist="$head" --overlap \
    testbed run "$study" --out "$out" --on "$address:$port" "$@"
