#!/usr/bin/env bash
# Installs the CUDA compiler and libraries from PyPI into a folder, and prints the environment to build with:
#
#     eval "$(bench/cuda_toolkit.sh FOLDER)" && cargo build --release --features cuda
#
# CUDA_COMPUTE_CAP is the graphics processor's compute capability without its point: 80 for A100, 90 for H100 and H200.
# Where there is no driver, as on a build server, an empty library stands in for it: the program links, and runs where
# there is a driver.
set -euo pipefail
folder=$(mkdir -p "$1" && cd "$1" && pwd)
{
  python3 -m venv "$folder/venv"
  # One minor version for all parts, and one that candle's bindings know.
  "$folder/venv/bin/pip" install --quiet "nvidia-cuda-nvcc==13.3.*" "nvidia-nvvm==13.3.*" "nvidia-cuda-crt==13.3.*" \
    "nvidia-cuda-runtime==13.3.*" "nvidia-cuda-nvrtc==13.3.*" "nvidia-cuda-cccl==13.3.*" nvidia-cublas nvidia-curand
} >&2
toolkit=$(echo "$folder"/venv/lib/python3*/site-packages/nvidia/cu13)
# The linker wants names without versions.
mkdir -p "$folder/link"
for library in "$toolkit"/lib/lib*.so.*; do
  ln -sf "$library" "$folder/link/$(basename "${library%%.so.*}").so"
done
flags="-L native=$folder/link -C link-arg=-Wl,-rpath,$toolkit/lib"
driver=$(ldconfig -p | sed -n 's/.*=> \(.*libcuda\.so\.1\)$/\1/p' | head -n 1)
if [ -n "$driver" ]; then
  ln -sf "$driver" "$folder/link/libcuda.so"
else
  : | cc -shared -x c - -Wl,-soname,libcuda.so.1 -o "$folder/link/libcuda.so"
  flags="$flags -C link-arg=-Wl,--unresolved-symbols=ignore-all"
fi
cat <<END
export CUDA_HOME="$toolkit" CUDA_PATH="$toolkit" PATH="$toolkit/bin:\$PATH" RUSTFLAGS="$flags"
export CUDA_COMPUTE_CAP="\${CUDA_COMPUTE_CAP:-80}"
END
