#!/usr/bin/env bash
# The sets compiled for levels of x86-64 by name instead of for this machine: without VNNI and bf16 (v4), and for AVX2
# (v3), whose register tiles are its own. Every output of every tenant as near to onnxruntime's as tolerances.py allows.
#
#   test/sets/check-levels.sh [SET...]     default: all four sets
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/sets/common.sh
[ $# -gt 0 ] || set -- S1_document S2_speech S3_vision S4_text
for set_name in "$@"; do
  manifest=test/sets/$set_name.yaml
  [ -e "$manifest" ] || manifest=python-free-examples/document-set/set.yaml
  test/sets/fetch-models.sh "$set_name"
  make_references "$set_name"
  work=build/check/levels
  mkdir -p "$work"
  for level in x86-64-v3 x86-64-v4; do
    $bin/mtc compile "$manifest" --target "host:$level,cores=2" -o "$work/$level.mtb" --json "$work/compile.json" -q
    [ "$(jq -r '.targets[0]' "$work/compile.json")" = "host:$level,cores=2" ]
    for t in $(jq -r '.tenants[].name' "$work/compile.json"); do
      mapfile -t arguments < <(input_arguments "$t" "")
      while IFS=$'\t' read -r name tolerance; do
        $bin/mtrt run "$work/$level.mtb" --tenant "$t" "${arguments[@]}" \
          --expected-output "$(output_argument "$t" "$name")" --rel-norm "$tolerance"
      done < "$references/$t/tolerance.tsv"
    done | sed -n '/ ok, /p' | sort -u
    echo "ok: every output of $set_name for $level is within its tolerance of onnxruntime's"
  done
done
