#!/usr/bin/env bash
# Some tiles of the CUDA kernels of a set of real models, run by the emulator, against the host's kernels.
#
#   test/Emulator/check-tiles.sh SET [ARGUMENT...]      arguments of mtc-check-tiles
set -euo pipefail
cd "$(dirname "$0")/../.."
set_name=$1
shift
build=${MTC_BUILD:-build}
manifest=test/sets/$set_name.yaml
[ -e "$manifest" ] || manifest=python-free-examples/document-set/set.yaml
test/sets/fetch-models.sh "$set_name"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$build/bin/mtc" compile "$manifest" --target cuda:sm_90a --emit=tasks > "$work/tasks.mlir"
"$build/bin/mtc-check-tiles" "$work/tasks.mlir" "$@"
