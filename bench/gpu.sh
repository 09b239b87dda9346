#!/usr/bin/env bash
# Measures the torch engine on a machine with a graphics processor, in about ten minutes: nothing is downloaded, and torch,
# transformers and peft are all that has to be there.
#
#     bench/gpu.sh OUT [PYTHON] [LABELMIX]
#
# OUT gets results.json and what was printed. With the labelmix binary it also holds the engine against the native one and
# does a real sweep of the sandbox.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$1
python=${2:-${LABELMIX_PYTHON:-python3}}
labelmix=${3:-target/release/labelmix}
mkdir -p "$out"
"$python" bench/gpu.py "$out" 2>&1 | tee "$out/gpu.txt"
if [ -x "$labelmix" ]; then
  export LABELMIX_PYTHON=$python
  {
    "$labelmix" doctor --engine torch
    "$labelmix" engine check --weights f32 || true
    "$labelmix" engine check || true
    "$labelmix" demo --fast --out "$out/demo"
    time "$labelmix" sweep "$out/demo/study.toml" --engine torch --store "$out/torch"
  } 2>&1 | tee "$out/labelmix.txt"
fi
