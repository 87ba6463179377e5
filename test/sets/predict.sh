#!/usr/bin/env bash
# Predicted against measured makespans of the four sets on this host - rounds and every tenant alone, each set priced
# by kernels of the other sets and of spare models only - and measured rounds by other policies.
#
#   test/sets/predict.sh [OUT.md]                             all of it
#   test/sets/predict.sh calibrate|compile|measure N|compare|report [OUT.md]   a step: each but compile wants the machine for itself
#
# calibrate measures the kernels (under a minute), compile makes the bundles, measure is pass N of measuring them (a
# minute; all sets and modes in turn), compare runs rounds by several policies in turn (a minute), report prints the tables of
# all passes and writes them to OUT.md. It fails where a bound is passed: mean error 10 %, worst 20 %; joint at most 2 % slower than the better of sequential
# and one core per tenant, faster than both on average; a round's core time at most 1.08 times that of its tasks on one
# core with the other core loaded.
#
# A makespan is from the first worker's start to the last one's end. Of a pass the lower quartile counts, as it does
# of the calibration's samples, of passes the least: others on the machine can only lengthen it.
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/sets/common.sh
work=build/predict
sets=(S1_document S2_speech S3_vision S4_text)
mkdir -p "$work"
manifest() { if [ "$1" = S1_document ]; then echo python-free-examples/document-set/set.yaml; else echo "test/sets/$1.yaml"; fi; }
name_of() { basename "$(manifest "$1")" .yaml; } # a set is called as its manifest

calibrate() {
  local manifests=()
  for s in "${sets[@]}"; do
    test/sets/fetch-models.sh "$s"
    manifests+=("$(manifest "$s")")
  done
  test/sets/fetch-models.sh spare stretch
  manifests+=(test/sets/spare.yaml)
  $bin/mtc tune "${manifests[@]}" --calibrate --seconds "${SECONDS_TO_MEASURE:-20}" -o "$work/host.txt" --keep-samples "$work/samples.tsv"
}

compile() {
  rm -f "$work"/*.json
  for s in "${sets[@]}"; do
    $bin/mtc tune --calibrate --from-samples "$work/samples.tsv" --calibration "$work/host.txt" --without "$(name_of "$s")" \
      -o "$work/host-without-$s.txt"
    $bin/mtc compile "$(manifest "$s")" --calibration "$work/host-without-$s.txt" -o "$work/$s.mtb" -q
  done
}

measure() { # PASS
  local neighbour
  for s in "${sets[@]}"; do
    $bin/mtrt bench "$work/$s.mtb" --mode round --warmup 1 --iterations 6 -q --json "$work/round-$s-$1.json" > /dev/null
    $bin/mtrt bench "$work/$s.mtb" --mode solo --warmup 1 --iterations 6 -q --json "$work/solo-$s-$1.json" > /dev/null
    # Tasks on one core while the other runs another set's.
    $bin/mtrt bench "$work/S3_vision.mtb" --mode solo --cpus 1 --iterations 100000 -q > /dev/null 2>&1 &
    neighbour=$!
    $bin/mtrt bench "$work/$s.mtb" --mode kernels --cpus 0 --warmup 1 --iterations 4 -q --json "$work/loaded-$s-$1.json" \
      > /dev/null 2>&1
    kill $neighbour
    wait $neighbour 2> /dev/null || true
  done
}

compare() {
  for s in "${sets[@]}"; do
    $bin/mtrt bench "$work/$s.mtb" --policy joint,sequential,apart --warmup 2 --iterations 60 -q --json "$work/compare-$s.json" > /dev/null
  done
}

# middle FILTER FILES... : the median of what jq's filter gives, over passes.
middle() { jq -rs "[.[] | $1] | min" "${@:2}"; }

predictions() {
  printf 'set\twhat\tpolicy\tpredicted ms\tmeasured ms\terror\n'
  row() { # SET WHAT PREDICTED-FILTER FILES...
    local of=$3
    awk -v OFS='\t' -v s="$1" -v w="$2" -v p="$(jq -r "$of.policy" "$4")" -v a="$(jq "$of.predicted_ms" "$4")" \
      -v b="$(middle "$of.makespan_ms.quartile" "${@:4}")" 'BEGIN {printf "%s\t%s\t%s\t%.3f\t%.3f\t%+.3f\n", s, w, p, a, b, a / b - 1}'
  }
  for s in "${sets[@]}"; do
    row "$s" round .round_ms "$work/round-$s-"*.json
    while read -r t; do
      row "$s" "$t" "(.tenants[] | select(.name == \"$t\"))" "$work/solo-$s-"*.json
    done < <(jq -r '.tenants[].name' "$work/round-$s-1.json")
  done
}

rounds() {
  printf 'set\tsequential ms\tapart ms\tjoint ms\tjoint/better\t95 %%\tcore time/tasks\n'
  for s in "${sets[@]}"; do
    # The ratios are to joint: the better of the others is the one with the lower.
    jq -r --arg s "$s" --argjson tasks "$(middle '[.tasks[].median_us] | add / 1000' "$work/loaded-$s-"*.json)" '
      def fixed: . * 1000 | round / 1000 | tostring;
      .policies as [$joint, $sequential, $apart]
      | ([$sequential, $apart] | min_by(.ratio.median).ratio) as $better
      | [$s, ($sequential, $apart, $joint | .makespan_ms.median | fixed), (1 / $better.median | fixed),
         (1 / $better.high | fixed) + " to " + (1 / $better.low | fixed), (2 * $joint.makespan_ms.quartile / $tasks | fixed)]
      | @tsv' "$work/compare-$s.json"
  done
}

markdown() { awk -F'\t' '{printf "|"; for (i = 1; i <= NF; i++) printf " %s |", $i; print ""} NR == 1 {for (i = 1; i <= NF; i++) printf "|---"; print "|"}'; }

report() { # [OUT.md]
  local failed=0
  predictions > "$work/predictions.tsv"
  rounds > "$work/rounds.tsv"
  check() { # WHAT VALUE BOUND
    local word=ok
    awk -v v="$2" -v b="$3" 'BEGIN {exit !(v <= b)}' || { word=FAILED; failed=1; }
    printf '%-58s %8.3f (bound %s) %s\n' "$1" "$2" "$3" "$word"
  }
  {
    printf '# Predicted and measured makespans\n\nBy `test/sets/predict.sh`, which says how. Measured on %s, %s cores, %s; %s passes; a shared virtual machine.\n\n' "$(sed -n 's/^cpu //p' "$work/host.txt")" \
      "$(sed -n 's/^cores //p' "$work/host.txt")" "$(sed -n 's/^date //p' "$work/host.txt")" \
      "$(ls "$work"/round-S1_document-*.json | wc -l)"
    markdown < "$work/predictions.tsv"
    echo
    markdown < "$work/rounds.tsv"
    printf '\n`core time/tasks`: cores times the round by joint (lower quartile), over the times of all its tasks on one core while the other runs\nanother set.\n'
  } | tee "${1:-$work/predict.md}"
  echo
  check "mean error of predictions" "$(awk -F'\t' 'NR > 1 {e = $6 < 0 ? -$6 : $6; s += e; n++} END {print s / n}' "$work/predictions.tsv")" 0.10
  check "worst error of predictions" "$(awk -F'\t' 'NR > 1 {e = $6 < 0 ? -$6 : $6; if (e > w) w = e} END {print w}' "$work/predictions.tsv")" 0.20
  check "joint over the better of the others, worst set" "$(awk -F'\t' 'NR > 1 && $5 > w {w = $5} END {print w}' "$work/rounds.tsv")" 1.02
  check "joint over the better of the others, mean" "$(awk -F'\t' 'NR > 1 {s += log($5); n++} END {print exp(s / n)}' "$work/rounds.tsv")" 0.9999
  check "core time of a round over that of its tasks, worst set" "$(awk -F'\t' 'NR > 1 && $7 > w {w = $7} END {print w}' "$work/rounds.tsv")" 1.08
  return $failed
}

case ${1:-} in
calibrate | compile | measure | compare) "$@" ;;
report) report "${2:-}" ;;
*)
  calibrate
  compile
  for pass in 1 2 3; do measure $pass; done
  compare
  report "${1:-}"
  ;;
esac
