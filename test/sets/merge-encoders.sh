#!/usr/bin/env bash
# Does merging equal kernels of different tenants pay? Rounds of four encoders of one form with weights of their own, on this
# host: their tasks merged into commands, apart, in turn, one on each core, and as one model that is all four; and simulated
# for a GPU, which runs merged ones as one launch. Merged and apart must give equal bits, in a round and alone.
#
#   test/sets/merge-encoders.sh [LAYERS HIDDEN ROWS]      default: 4 256 32; needs onnx in build/venv
set -euo pipefail
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || set -- 4 256 32
bin=$PWD/build/bin tool="${PYTHON:-build/venv/bin/python} test/sets/merge-encoders.py" work=build/merge-encoders
rm -rf "$work" && mkdir -p "$work"
$tool models "$work" "$@"
{
  printf 'version: 1\ntenants:\n'
  for i in 0 1 2 3; do printf -- '- {name: e%s, model: e%s.onnx, isolation: encoders}\n' "$i" "$i"; done
} > "$work/four.yaml"
compile() { $bin/mtc compile -q "$work/$1" -o "$work/$2.mtb" --json "$work/$2.json" "${@:3}"; }
compile four.yaml apart
compile four.yaml in-turn --policy sequential
compile four.yaml core-each --policy apart
compile four.yaml merged --policy sequential --merge auto
compile four.yaml best --merge auto
compile merged.onnx one-model
for plan in apart in-turn core-each merged best; do
  jq -r --arg plan $plan '.schedules[] | select(.name == "round") | "host, predicted: \($plan) \(.makespan_ns / 1e6) ms, \(.merged_tasks) tasks merged"' "$work/$plan.json"
done

for plan in apart merged; do
  $bin/mtrt run "$work/$plan.mtb" --fill seed:1 --output-dir "$work/$plan" > "$work/out.txt"
  $bin/mtrt run "$work/$plan.mtb" --tenant e2 --fill seed:1 --output-dir "$work/$plan/alone" > "$work/out.txt"
done
diff -r "$work/apart" "$work/merged"
echo "merged and apart: equal bits"

for turn in 1 2 3 4; do
  for plan in apart in-turn core-each merged one-model; do
    $bin/mtrt bench "$work/$plan.mtb" --warmup 10 --iterations 60 --json "$work/out.json" > "$work/out.txt"
    printf '%s\t%s\n' "$plan" "$(jq .round_ms.min "$work/out.json")"
  done
done | sort | awk -F'\t' '!($1 in least) || $2 < least[$1] {least[$1] = $2}
  END {for (plan in least) printf "host, measured, least of 4 x 60: %-10s %.2f ms\n", plan, least[plan]}'

# A GPU: what is simulated of 1 to 32 copies with these weights in turn, and the bits of four small ones on the fake driver.
group() { # COPIES FOLDER
  printf 'version: 1\ntarget: "cuda:sm_90a"\ntenants:\n'
  for ((i = 0; i < $1; i++)); do printf -- '- {name: t%s, model: e%s.onnx, isolation: encoders}\n' $i $((i % 4)); done
}
simulated() { $bin/mtc simulate "$@" --json "$work/round.json" > "$work/round.txt" && jq .targets[0].round.makespan_ns "$work/round.json"; }
for copies in 1 4 16 32; do
  group $copies > "$work/group.yaml"
  apart=$(simulated "$work/group.yaml" --merge off) together=$(simulated "$work/group.yaml")
  echo "cuda:sm_90a, simulated: $copies copies $((apart / 1000)) us, merged $((together / 1000)) us"
done
mkdir -p "$work/small"
$tool models "$work/small" 2 64 8
group 4 > "$work/small/group.yaml"
for precision in f32 f16; do
  for merge in off auto; do
    plan=$work/small/$precision-$merge
    $bin/mtc compile -q "$work/small/group.yaml" --precision $precision --merge $merge -o "$plan.mtb"
    $bin/mtc-emulate-bundle "$plan.mtb" "$plan"
    MTC_FAKE_CUDA_KERNELS=$plan MTC_FAKE_CUDA_RECORD=$plan.calls $bin/mtrt run "$plan.mtb" --fill seed:1 --device cuda \
      --cuda-driver build/unittests/libcuda-fake.so --output-dir "$plan" > "$work/out.txt"
    if grep violation "$plan.calls"; then exit 1; fi
    echo "cuda:sm_90a, $precision, --merge $merge: $(grep -c cuGraphAddKernelNode "$plan.calls") kernel nodes"
  done
  diff -r "$work/small/$precision-off" "$work/small/$precision-auto"
  echo "cuda:sm_90a, emulated, $precision: merged and apart: equal bits"
done
