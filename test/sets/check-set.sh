#!/usr/bin/env bash
# A set of real models, end to end: compiled twice into equal bytes; every output of every tenant as near to
# onnxruntime's as tolerances.py allows (1e-4, norm of the difference over norm of the reference, for float models);
# bitwise equal alone and in the round, under jittered task durations, and with the tenants in reverse order.
#
#   test/sets/check-set.sh SET MANIFEST
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/sets/common.sh
set_name=$1 manifest=$2
work=build/check/$set_name
rm -rf "$work"
mkdir -p "$work"

test/sets/fetch-models.sh "$set_name"
make_references "$set_name"

$bin/mtc compile "$manifest" -o "$work/a.mtb" --json "$work/compile.json"
$bin/mtc compile "$manifest" -o "$work/b.mtb" --jobs 1
cmp "$work/a.mtb" "$work/b.mtb"
echo "ok: two compiles give equal bytes"

mapfile -t tenants < <(jq -r '.tenants[].name' "$work/compile.json")
inputs=()
for t in "${tenants[@]}"; do
  mapfile -t -O "${#inputs[@]}" inputs < <(input_arguments "$t" "$t/")
done

# check_outputs BUNDLE [FLAG...]: each tenant alone, each output within its tolerance.
check_outputs() {
  local t name tolerance bundle=$1
  shift
  for t in "${tenants[@]}"; do
    mapfile -t arguments < <(input_arguments "$t" "")
    while IFS=$'\t' read -r name tolerance; do
      $bin/mtrt run "$bundle" --tenant "$t" "${arguments[@]}" --expected-output "$(output_argument "$t" "$name")" \
        --rel-norm "$tolerance" "$@"
    done < "$references/$t/tolerance.tsv"
  done | grep -F ' ok, ' | sort -u
}

check_outputs "$work/a.mtb" --output-dir "$work/alone"
echo "ok: every output is within its tolerance of onnxruntime's"
$bin/mtrt run "$work/a.mtb" "${inputs[@]}" --output-dir "$work/round" --json "$work/run.json"
same_files "$work/round" "$work/alone" "alone and in the round"

for seed in 1 2 3; do
  $bin/mtrt run "$work/a.mtb" "${inputs[@]}" --jitter $seed --output-dir "$work/jitter-$seed"
  same_files "$work/round" "$work/jitter-$seed" "durations jittered by 0.25 to 4, seed $seed"
done

# The same tenants in reverse order, as a manifest of its own beside the original's models.
awk '/^  - name:/ {n++} {if (n) block[n] = block[n] $0 "\n"; else head = head $0 "\n"}
     END {printf "%s", head; for (i = n; i; i--) printf "%s", block[i]}' "$manifest" |
  sed "s|model: \(.*\)|model: $PWD/$(dirname "$manifest")/\1|" > "$work/reversed.yaml"
$bin/mtc compile "$work/reversed.yaml" -o "$work/reversed.mtb"
$bin/mtrt run "$work/reversed.mtb" "${inputs[@]}" --output-dir "$work/reversed"
same_files "$work/round" "$work/reversed" "tenants in reverse order"

$bin/mtc compile "$manifest" -O0 -o "$work/o0.mtb"
check_outputs "$work/o0.mtb"
echo "ok: every output of -O0 is within its tolerance of onnxruntime's"
