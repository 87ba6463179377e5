#!/usr/bin/env bash
# Runs the 1,884 node tests of onnx 1.23.2 through mtc: import, compile, bundle, run, compare.
#
#   test/Conformance/run.sh [--cuda | --gpu ARCH] [--update] [--filter TEXT] ...     arguments of mtc-conformance
#
# not-passing.tsv lists what does not pass; a change in either direction fails. Leaves
# build/conformance.json. --cuda runs them on the fake GPU (test/FakeDriver; table not-passing-cuda.tsv; 5 minutes on two cores), --gpu
# sm_90a on a GPU. nodedata.tar.xz is what dump-cases.py wrote with that version of onnx.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${MTC_BUILD:-$here/../../build}
folder=$build/conformance
if [ ! -e "$folder/stamp" ] || [ "$here/nodedata.tar.xz" -nt "$folder/stamp" ]; then
  rm -rf "$folder"
  mkdir -p "$folder"
  tar xJf "$here/nodedata.tar.xz" -C "$folder" --strip-components 1
  touch "$folder/stamp"
fi
if [ "${1:-}" = --gpu ]; then
  exec "$build/bin/mtc-conformance" "$folder" "$here/not-passing-cuda.tsv" --json "$build/conformance-gpu.json" --per-set 20 "$@"
fi
if [ "${1:-}" = --cuda ]; then
  shift
  exec "$build/bin/mtc-conformance" "$folder" "$here/not-passing-cuda.tsv" --json "$build/conformance-cuda.json" \
    --cuda-driver "$build/unittests/libcuda-fake.so" --per-set 20 "$@"
fi
exec "$build/bin/mtc-conformance" "$folder" "$here/not-passing.tsv" --json "$build/conformance.json" "$@"
