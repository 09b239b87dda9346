#!/bin/bash
# A stand-in for sbatch: does the tasks of an array at once, one after the other. $FAKE_SLURM is its folder.
set -u
echo "$*" >> "$FAKE_SLURM/submitted"
if [ -e "$FAKE_SLURM/refuse" ]; then echo "sbatch: error: invalid partition specified: nowhere" >&2; exit 1; fi
job=$(($(cat "$FAKE_SLURM/last_job" 2>/dev/null || echo 0) + 1))
echo "$job" > "$FAKE_SLURM/last_job"
output=/dev/null; last=0
while [ $# -gt 0 ]; do
  case "$1" in
    --array=0-*) last=${1#--array=0-} ;;
    --output=*) output=${1#--output=} ;;
    --*) ;;
    *) break ;;
  esac
  shift
done
# Some sites greet on standard output, before and after.
greet() { if [ -e "$FAKE_SLURM/greets" ]; then cat "$FAKE_SLURM/greets"; fi; }
greet; echo "$job"; greet
for ((task = 0; task <= last; task++)); do
  if [ -e "$FAKE_SLURM/hold" ]; then echo "$job|$task|PENDING|Resources" >> "$FAKE_SLURM/queue"; continue; fi
  log=${output//%A/$job}; log=${log//%a/$task}
  SLURM_JOB_ID=$job SLURM_ARRAY_JOB_ID=$job SLURM_ARRAY_TASK_ID=$task bash "$@" > "$log" 2>&1
  echo "$job $task $?" >> "$FAKE_SLURM/ended"
done
