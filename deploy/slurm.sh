#!/usr/bin/env bash
# One training on two computers of four GPUs: sbatch deploy/slurm.sh PAINTING PHOTOS
#
# The run folder lies on a disk that all of them share. Two minutes before its time is over, or when it must make room, the
# job gets SIGTERM: the training saves and ends, is queued again, and goes on where it was.
#SBATCH --job-name=impasto
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=32
#SBATCH --time=04:00:00
#SBATCH --signal=TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail

painting=$1 photos=$2
run=runs/$(basename "${painting%.*}")
export MASTER_ADDR MASTER_PORT=29500
MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)

if [ -e "$run/job.json" ]; then
  set -- --resume "$run"
else
  set -- "$painting" --photos "$photos" --recipe classic --batch-size 16 --run-dir "$run"
fi
code=0
# NODE_RANK tells each computer which one it is; impasto starts a process for each of its GPUs.
srun bash -c 'NODE_RANK=$SLURM_NODEID exec impasto train "$@" --devices 4 --nodes 2' impasto "$@" || code=$?
# 130: stopped, and all is saved.
if [ "$code" = 130 ]; then scontrol requeue "$SLURM_JOB_ID"; else exit "$code"; fi
