#!/bin/bash
cat "$FAKE_SLURM/greets" "$FAKE_SLURM/queue" 2>/dev/null || true
