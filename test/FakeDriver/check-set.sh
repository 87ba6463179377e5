#!/usr/bin/env bash
# Real models, whole, on a GPU that is none: the fake driver runs the graph of a round through emulated kernels, in a random order that
# its edges allow. Every output is as near to onnxruntime's as tolerances.py allows (1e-4, norm of the difference over norm of the
# reference, for float models), or 2e-3 in tf32, 2e-2 in f16 and bf16; a second order gives the same bits.
#
#   test/FakeDriver/check-set.sh [--precision tf32|f16|bf16] SET [TENANT...]      default: f32, all tenants of the set
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/sets/common.sh
precision=f32
if [ "$1" = --precision ]; then precision=$2; shift 2; fi
set_name=$1
shift
manifest=test/sets/$set_name.yaml
[ -e "$manifest" ] || manifest=python-free-examples/document-set/set.yaml
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
test/sets/fetch-models.sh "$set_name"
make_references "$set_name"

# The manifest with these tenants alone.
awk -v names=" $* " '/^  - name:/ {on = names == "  " || index(names, " " $3 " ")} /^  - name:/ || n {n = 1; if (on) print; next} {print}' \
  "$manifest" | sed "s|model: \(.*\)|model: $PWD/$(dirname "$manifest")/\1|" > "$work/set.yaml"
$bin/mtc compile "$work/set.yaml" --target cuda:sm_90a --precision $precision -o "$work/set.mtb" -q
SECONDS=0
$bin/mtc-emulate-bundle "$work/set.mtb" "$work/set" --no-checks
echo "emulated kernels after $SECONDS s"
mapfile -t tenants < <($bin/mtrt inspect "$work/set.mtb" --json - | jq -r '.tenants[].name')
[ $# = 0 ] || [ ${#tenants[@]} = $# ] || { echo "FAILED: $set_name has not all of: $*"; exit 1; }
inputs=()
for t in "${tenants[@]}"; do
  mapfile -t -O "${#inputs[@]}" inputs < <(input_arguments "$t" "$t/")
done

# round SEED DIR
round() {
  SECONDS=0
  MTC_FAKE_CUDA_KERNELS=$work/set MTC_FAKE_CUDA_SEED=$1 $bin/mtrt run "$work/set.mtb" "${inputs[@]}" --device cuda \
    --cuda-driver build/unittests/libcuda-fake.so --output-dir "$work/$2" -q > /dev/null
  echo "a round in $SECONDS s"
}
round 1 cuda
compared=0
for t in "${tenants[@]}"; do
  while IFS=$'\t' read -r name tolerance; do
    file=$t/$(jq -rn --arg name "$name" '$name | @uri').npy
    mkdir -p "$work/want/$file.d/$t" "$work/got/$file.d/$t"
    cp "$work/cuda/$file" "$work/got/$file.d/$file"
    cp "$references/$t/out.$(printf %s "$name" | tr '/:' '__').npy" "$work/want/$file.d/$file"
    case $precision in f32) least=0 ;; tf32) least=2e-3 ;; *) least=2e-2 ;; esac
    tolerance=$(awk -v t="$tolerance" -v least=$least 'BEGIN {print (t > least ? t : least)}')
    $bin/mtrt compare "$work/got/$file.d" "$work/want/$file.d" --rel-norm "$tolerance" --json "$work/error.json" > /dev/null
    echo "$t $name: error $(jq '.values[0].rel_norm' "$work/error.json") of $tolerance"
    compared=$((compared + 1))
  done < "$references/$t/tolerance.tsv"
done
echo "ok: $compared outputs of ${#tenants[@]} tenants are within their tolerances of onnxruntime's"
round 2 again
same_files "$work/cuda" "$work/again" "in another order of nodes, blocks and threads"
