#!/usr/bin/env bash
# The measured variants that come with mtc (lib/Tuning/Shipped) are taken by a first compile of the document set where
# they hold, whatever machine this is, and by no other: not for another CPU, nor for another number of cores.
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/sets/common.sh
work=build/check/shipped
mkdir -p "$work"
test/sets/fetch-models.sh S1_document

# measured DEVICE CORES: kernels with measured times.
measured() {
  $bin/mtc compile python-free-examples/document-set/set.yaml --target "host:x86-64-v4+avx512bf16+avx512vnni,cores=$2" \
    --tuning-device "$1" --cache-dir '' --emit=tuned -q -o "$work/tuned.mlir"
  grep -c 'origin = "measured"' "$work/tuned.mlir" || true # a line is a kernel
}
device=$(jq -r 'select(.type == "time") | .device' lib/Tuning/Shipped/document-set.jsonl | sort -u)
taken=$(measured "$device" 2)
[ "$taken" -ge 10 ] || {
  echo "FAILED: measured times of $taken kernels were taken: their code changed, measure again with test/sets/ship-tuning.sh"
  exit 1
}
echo "ok: shipped times were taken for $taken kernels"
for other in "$(measured 'Another CPU' 2)" "$(measured "$device" 3)"; do
  [ "$other" = 0 ] || { echo "FAILED: $other kernels took times of another device"; exit 1; }
done
echo "ok: another device takes none"
