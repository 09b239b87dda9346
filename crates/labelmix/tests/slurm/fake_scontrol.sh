#!/bin/bash
cat "$FAKE_SLURM/greets" 2>/dev/null
case "$1" in
  show) echo "MaxArraySize            = ${FAKE_MAX_ARRAY_SIZE:-1001}" ;;
  requeue) echo "$2" >> "$FAKE_SLURM/requeued" ;;
esac
