#!/usr/bin/env bash
# Some tiles of the CUDA kernels of a set of real models, run by the emulator, against the host's kernels.
#
#   test/Emulator/check-tiles.sh SET PRECISION [ARGUMENT...]      f32, tf32, f16 or bf16; arguments of mtc-check-tiles
set -euo pipefail
cd "$(dirname "$0")/../.."
set_name=$1 precision=$2
shift 2
build=${MTC_BUILD:-build}
manifest=test/sets/$set_name.yaml
[ -e "$manifest" ] || manifest=python-free-examples/document-set/set.yaml
test/sets/fetch-models.sh "$set_name"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$build/bin/mtc" compile "$manifest" --target cuda:sm_90a --precision "$precision" --emit=tasks > "$work/tasks.mlir"
"$build/bin/mtc-check-tiles" "$work/tasks.mlir" "$@"
