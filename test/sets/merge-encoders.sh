#!/usr/bin/env bash
# Would merging equal kernels of different tenants into one launch pay? Rounds of four encoders of one form with weights of
# their own, against one model that is all four: measured on this host, simulated for a GPU.
#
#   test/sets/merge-encoders.sh [LAYERS HIDDEN ROWS]      default: 4 256 32; needs onnx in build/venv
set -euo pipefail
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || set -- 4 256 32
bin=$PWD/build/bin tool="${PYTHON:-build/venv/bin/python} test/sets/merge-encoders.py" work=build/merge-encoders
rm -rf "$work" && mkdir -p "$work"
$tool models "$work" "$@"
four=("$work"/e{0,1,2,3}.onnx)
$bin/mtc compile -q "${four[@]}" -o "$work/four.mtb"
$bin/mtc compile -q "$work/merged.onnx" -o "$work/merged.mtb"
for turn in 1 2 3 4; do
  for run in "four" "four --policy sequential" "merged"; do
    read -r name options <<< "$run"
    $bin/mtrt bench "$work/$name.mtb" $options --warmup 10 --iterations 60 --json "$work/out.json" > "$work/out.txt"
    printf '%s\t%s\n' "$run" "$(jq .round_ms.min "$work/out.json")"
  done
done | sort | awk -F'\t' '!($1 in least) || $2 < least[$1] {least[$1] = $2}
  END {for (run in least) printf "host, measured, least of 4 x 60: %-26s %.2f ms\n", run, least[run]}'

simulated() { $bin/mtc simulate "$@" --json "$work/round.json" > "$work/round.txt" && jq .targets[0].round.makespan_ns "$work/round.json"; }
$bin/mtc compile -q "$work/e0.onnx" --target cuda:sm_90a --emit=problem -o "$work/e0.txt"
for copies in 1 4 16 32; do
  tenants=()
  for ((i = 0; i < copies; i++)); do tenants+=("t$i=$work/e0.onnx"); done
  $tool problem "$work/e0.txt" $copies > "$work/merged.txt"
  apart=$(simulated "${tenants[@]}" --target cuda:sm_90a) together=$(simulated "$work/merged.txt")
  echo "cuda:sm_90a, simulated: $copies copies $((apart / 1000)) us, merged $((together / 1000)) us"
done
