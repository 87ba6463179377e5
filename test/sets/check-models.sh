#!/usr/bin/env bash
# Models outside of the sets, each alone: compiled for the shapes of models.tsv, run, and every output as near to
# onnxruntime's as tolerances.py allows (1e-4, norm of the difference over norm of the reference, for float models).
#
#   test/sets/check-models.sh [SET...]      default: stretch spare
#
# models-not-passing.tsv lists the models that do not pass, with the reason; a change in either direction fails.
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/sets/common.sh
[ $# -gt 0 ] || set -- stretch spare
expected=test/sets/models-not-passing.tsv
failed=0

# check_model NAME: nothing if it passes, else one line that says why not.
check_model() {
  local name=$1 work=build/check/models/$1 tensor dims arguments=() output tolerance
  rm -rf "$work"
  mkdir -p "$work"
  for input in $(awk -F'\t' -v n="$name" '$1 == n {print $11}' test/sets/models.tsv); do
    tensor=${input%=*} dims=${input##*=}
    dims=${dims%@*}
    [ -z "$dims" ] || arguments+=(--shapes "$name/$tensor:$dims")
  done
  if ! $bin/mtc compile -q "$name=build/models/$name.onnx" "${arguments[@]}" -o "$work/$name.mtb" 2> "$work/log"; then
    sed -n '1s/^mtc: error: //p' "$work/log"
    return
  fi
  mapfile -t arguments < <(input_arguments "$name" "")
  while IFS=$'\t' read -r output tolerance; do
    $bin/mtrt run "$work/$name.mtb" --tenant "$name" "${arguments[@]}" --expected-output "$(output_argument "$name" "$output")" \
      --rel-norm "$tolerance" >> "$work/run.log" 2>&1 || { echo "output '$output' is not within its tolerance"; return; }
  done < "$references/$name/tolerance.tsv"
}

for set_name in "$@"; do
  test/sets/fetch-models.sh "$set_name"
  make_references "$set_name"
  for name in $(awk -F'\t' -v s="$set_name" '$2 == s && $11 != "" {print $1}' test/sets/models.tsv); do
    got=$(check_model "$name")
    want=$(awk -F'\t' -v n="$name" '$1 == n {print $2}' "$expected")
    if [ "$got" = "$want" ]; then
      echo "ok: $name${got:+ does not pass, as expected: $got}"
    else
      echo "FAILED: $name: ${got:-passes}; $expected has: ${want:-nothing, it should pass}"
      failed=1
    fi
  done
done
exit $failed
