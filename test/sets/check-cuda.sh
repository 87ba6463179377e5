#!/usr/bin/env bash
# A set of real models compiled for the host and for a GPU into one bundle, cold: prints how long that took, and fails if a
# kernel was not assembled, a contraction spills registers, or the host's part of the bundle does not run. Needs ptxas.
#
# In another precision than f32, which a host has not, answers are compared instead: those of emulated kernels with onnxruntime's.
#
#   test/sets/check-cuda.sh [--precision tf32|f16|bf16] [SET...]     default: f32, all four sets
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/sets/common.sh
if ! { command -v ptxas || [ -x /usr/local/cuda/bin/ptxas ] || [ -x $bin/ptxas ]; } > /dev/null; then echo "no ptxas: skipped"; exit 77; fi
precision=f32
if [ "${1:-}" = --precision ]; then precision=$2; shift 2; fi
targets=(--target cuda:sm_90a)
[ $precision != f32 ] || targets=(--target host "${targets[@]}")
[ $# -gt 0 ] || set -- S1_document S2_speech S3_vision S4_text
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
for set_name in "$@"; do
  manifest=test/sets/$set_name.yaml
  [ -e "$manifest" ] || manifest=python-free-examples/document-set/set.yaml
  test/sets/fetch-models.sh "$set_name"
  start=$(date +%s.%N)
  $bin/mtc compile "$manifest" "${targets[@]}" --precision $precision --cache-dir "$work/cache" -o "$work/set.mtb" -q
  seconds=$(date +%s.%N | awk -v s="$start" '{printf "%.0f", $1 - s}')
  rm -rf "$work/cache"
  $bin/mtrt verify "$work/set.mtb" > /dev/null
  [ $precision != f32 ] || $bin/mtrt run "$work/set.mtb" --fill seed:0 > /dev/null
  $bin/mtrt inspect "$work/set.mtb" --json "$work/set.json" > /dev/null
  # A row a variant: its kernel, emitter, bytes of machine code, bytes that its functions spill, registers of a thread.
  jq -r '.targets[] | .gpu_kernels // empty | .[] | [.kernel, (.config | capture("emitter = \"(?<e>[^\"]+)\"").e), .cubin_bytes,
    ([.functions[].spill_bytes] | add), ([.functions[].registers] | max)] | @tsv' "$work/set.json" > "$work/kernels.tsv"
  awk -F'\t' -v set="$set_name" -v seconds="$seconds" '
    $3 == 0 {print "FAILED: " $1 " was not assembled"; bad = 1}
    $2 != "rows" && $2 != "phases" && $4 > 0 {print "FAILED: " $1 " (" $2 ") spills " $4 " bytes"; bad = 1}
    {++count[$2]; if ($5 > registers) registers = $5; if ($4 > 0) ++spilling}
    END {
      if (NR == 0) {print "FAILED: no kernels for a GPU"; bad = 1}
      for (e in count) text = text ", " count[e] " " e
      printf "%s: compiled in %d s, cold; %d variants of kernels for the GPU%s; at most %d registers, %d spill\n", set, seconds, NR, text, registers, spilling
      exit bad
    }' "$work/kernels.tsv" || failed=1
  [ $precision = f32 ] || test/FakeDriver/check-set.sh --precision $precision $set_name || failed=1
done
exit $failed
