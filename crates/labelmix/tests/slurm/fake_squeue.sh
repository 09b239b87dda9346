#!/bin/bash
cat "$FAKE_SLURM/queue" 2>/dev/null || true
