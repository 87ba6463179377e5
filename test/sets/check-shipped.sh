#!/usr/bin/env bash
# The measured variants that come with mtc (lib/Tuning/Shipped, a file for each set) are taken by a first compile of
# their set where they hold, whatever machine this is, and by no other: not for another CPU, nor for another number of
# cores. At least half of a file's kernels must still be what was measured.
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/sets/common.sh
work=build/check/shipped
mkdir -p "$work"
manifest() { if [ "$1" = document ]; then echo python-free-examples/document-set/set.yaml; else echo test/sets/S?_"$1".yaml; fi; }

# measured SET DEVICE CORES: kernels with measured times.
measured() {
  $bin/mtc compile $(manifest "$1") --target "host:x86-64-v4+avx512bf16+avx512vnni,cores=$3" --tuning-device "$2" \
    --emit=tuned -q -o "$work/tuned.mlir"
  grep -c 'origin = "measured"' "$work/tuned.mlir" || true # a line is a kernel
}
for file in lib/Tuning/Shipped/*-set.jsonl; do
  name=$(basename "$file" -set.jsonl)
  test/sets/fetch-models.sh "$(basename test/sets/S?_"$name".yaml .yaml | sed 's/^S?_document$/S1_document/')"
  device=$(jq -r 'select(.type == "time") | .device' "$file" | sort -u)
  held=$(jq -r 'select(.type == "time") | .kernel' "$file" | sort -u | wc -l)
  taken=$(measured "$name" "$device" 2)
  [ $((2 * taken)) -ge "$held" ] || {
    echo "FAILED: $name: times of $taken of $held kernels were taken: their code changed, measure again with test/sets/ship-tuning.sh"
    exit 1
  }
  echo "ok: $name: shipped times were taken for $taken of $held kernels"
done
for other in "$(measured document 'Another CPU' 2)" "$(measured document "$device" 3)"; do
  [ "$other" = 0 ] || { echo "FAILED: $other kernels took times of another device"; exit 1; }
done
echo "ok: another device takes none"
