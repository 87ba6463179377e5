#!/usr/bin/env bash
# Measures the kernels of a set on this machine and writes what a compile of it would take as lines of JSON, to be
# shipped in lib/Tuning/Shipped (with its name in tools/mtc/CMakeLists.txt).
#
#   test/sets/ship-tuning.sh SET.yaml OUT.jsonl [STEPS]
#
# Compiling the candidates needs no quiet machine, measuring them does: it is done in pieces of 20 s, each by
# `$MEASURE mtrt tune-run ...` (for example MEASURE="chrt -f 10"), and goes on where it was if it is interrupted.
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/sets/common.sh
set_file=$1 out=$2 steps=${3:-900}
work=build/ship-tuning/$(basename "$set_file" .yaml)
mkdir -p "$work"
[ -e "$work/candidates.mtb" ] || $bin/mtc tune "$set_file" --search-steps "$steps" --pack "$work/candidates.mtb"
touch "$work/run.jsonl"
while before=$(wc -l < "$work/run.jsonl") &&
  ${MEASURE:-} $bin/mtrt tune-run "$work/candidates.mtb" -o "$work/run.jsonl" --budget 20s --neighbours none,high \
    --samples "${SAMPLES:-9}" &&
  [ "$(grep -vc '"type":"tuning"' "$work/run.jsonl")" -gt "$(head -n "$before" "$work/run.jsonl" | grep -vc '"type":"tuning"')" ]; do
  :
done
rm -f "$work"/tuning.db*
$bin/mtc tune --tuning-db "$work/tuning.db" --import "$work/run.jsonl"
# Nothing is left to measure: this chooses.
$bin/mtc tune "$set_file" --search-steps "$steps" --tuning-db "$work/tuning.db" --export-chosen "$out" --report "$work/report.md"
wc -lc "$out"
