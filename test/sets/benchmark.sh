#!/usr/bin/env bash
# Compiles sets of real models and times them against the peers in one run; see test/peers/benchmark.py.
# Run it on an otherwise idle machine.
#
#   test/sets/benchmark.sh [--repeat N] [--results FILE] [--tasks FILE] [SET...]     default: all four sets
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/sets/common.sh
options=()
while [[ ${1:-} == --* ]]; do options+=("$1" "$2"); shift 2; done
sets=("$@")
[ $# -gt 0 ] || sets=(S1_document S2_speech S3_vision S4_text)
work=build/benchmark
mkdir -p "$work"
for name in "${sets[@]}"; do
  manifest=test/sets/$name.yaml
  [ -e "$manifest" ] || manifest=python-free-examples/document-set/set.yaml
  test/sets/fetch-models.sh "$name"
  make_references "$name"
  $bin/mtc compile "$manifest" -o "$work/$name.mtb" -q
done
exec build/venv/bin/python test/peers/benchmark.py --bin $bin --references $references --bundles "$work" \
  --table test/sets/models.tsv "${options[@]}" "${sets[@]}"
