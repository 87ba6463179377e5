#!/usr/bin/env bash
# The first session with a GPU: probe, correctness, sanitizers, benchmarks, as one JSON file.
#
#   test/gpu/run-all.sh [SET.yaml ...]         on the GPU: writes test/gpu/results/DATE-GPU.json
#   test/gpu/run-all.sh --fake OUT.json        the same steps on the fake driver, where they mean something; a test of this script
#   gpu-kit/run.sh [--fake OUT.json BUILD]     in a kit (kit.sh): its bundles against the answers that came with them; writes result.json
#
# Sets default to S1_document and test/sets/*.yaml. A step that fails or cannot run is in the file and does not stop the others; the
# exit code is 1 if one failed, 7 without a GPU. PATH needs build/bin; models come from test/sets/fetch-models.sh. No GPU has run this.
#
# What says most comes first. MTC_GPU_MINUTES (28): later steps are "not run". MTC_GPU_STEPS: a regular expression of the steps' names;
# the result keeps what it has of the others. Where a command may take only 10 minutes: MTC_GPU_MINUTES=9 with 'probe|bench', 'answers', 'check'.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
is_kit=false
if [ -e "$here/kit.json" ]; then
  is_kit=true root=$here build=$here bin=$here/bin
  export LD_LIBRARY_PATH=$here/lib PATH=$here/bin:$PATH
else
  root=$(cd "$here/../.." && pwd)
  build=${MTC_BUILD:-$root/build}
  bin=$build/bin
fi
. "$here/masks.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
driver=()
is_fake=false
arch=sm_90a
if [ "${1:-}" = --fake ]; then
  is_fake=true out=$2
  if $is_kit; then build=$3; shift; fi
  driver=(--cuda-driver "$build/unittests/libcuda-fake.so")
  shift 2
fi
if ! "$bin/mtrt" doctor --device cuda "${driver[@]}" --json "$work/doctor.json" > /dev/null; then exit 7; fi
device=$(jq -r '.cuda.devices[0].name' "$work/doctor.json")
capability=$(jq -r '.cuda.devices[0].capability' "$work/doctor.json")
case $capability in 9.0) arch=sm_90a ;; 8.9) arch=sm_89 ;; *) arch=sm_80 ;; esac

# Steps: {name, result: ok | failed | not run, seconds, ...}.
steps=$work/steps
: > "$steps"
failed=0
out_of_time() { [ "$SECONDS" -ge $((${MTC_GPU_MINUTES:-28} * 60)) ]; }
step() { # NAME EXTRA_JSON_FILE COMMAND...
  local name=$1 extra=$2 start status=0 result=ok
  shift 2
  case $name in compile* | unpack*) ;; *) [[ $name =~ ${MTC_GPU_STEPS:-.} ]] || return 0 ;; esac
  if out_of_time; then set -- late; fi
  start=$(date +%s.%N)
  "$@" > "$work/log" 2>&1 || status=$?
  if [ $status = 77 ]; then result="not run"; elif [ $status != 0 ]; then result=failed failed=1; fi
  [ -s "$extra" ] || { extra=$work/none; echo null > "$extra"; }
  jq -n --arg name "$name" --arg result "$result" --arg log "$(tail -c 600 "$work/log")" --slurpfile more "$extra" \
    --arg seconds "$(date +%s.%N | awk -v s="$start" '{printf "%.1f", $1 - s}')" \
    '{name: $name, result: $result, seconds: ($seconds | tonumber)}
     + (if $result == "ok" then {} else {log: $log} end) + (if $more[0] then {data: $more[0]} else {} end)' >> "$steps"
  printf '%-40s %s\n' "$name" "$result"
}

late() { echo "out of time: ${MTC_GPU_MINUTES:-28} minutes"; return 77; }
probe() { if $is_fake; then echo "the fake does not answer the probe"; return 77; fi; "$bin/mtc-gpu-probe" > "$work/probe.json"; }
cases() {
  if $is_kit; then echo "not in a kit"; return 77; fi
  if $is_fake; then set -- --cuda --filter test_relu; else set -- --gpu "$arch"; fi
  MTC_BUILD=$build "$root/test/Conformance/run.sh" "$@" --json "$work/cases.json"
}
compile() { # NAME MODELS...
  local name=$1
  shift
  if $is_kit; then
    cp "$here/bundles/$name.mtb" "$work/$name.mtb" && cp -r "$here/references/$name" "$work/$name-host" || return 1
    cp "$here/bundles/$name-candidates.mtb" "$work/" || return 1
  else
    local count=(--search-steps 300 --kernel-steps 12)
    if $is_fake; then count=(--search-steps 6); fi
    "$bin/mtc" compile "$@" --target host --target "cuda:$arch" -o "$work/$name.mtb" -q || return 1
    "$bin/mtc" tune "$@" --target "cuda:$arch" "${count[@]}" --drawn 50 --pack "$work/$name-candidates.mtb" -q || return 1
  fi
  if $is_fake; then
    for bundle in "$name" "$name-candidates"; do "$build/bin/mtc-emulate-bundle" "$work/$bundle.mtb" "$work/$bundle" || return 1; done
  fi
}
agree() { # NAME: host and GPU, the GPU also a tenant at a time: bits alone are those in the round (rule R3)
  local bundle=$work/$1.mtb tenant tolerance masks
  mapfile -t masks < <(mask_arguments "$bin/mtrt" "$bundle" "$work/masks")
  export MTC_FAKE_CUDA_KERNELS=$work/$1
  $is_kit || "$bin/mtrt" run "$bundle" --fill seed:0 "${masks[@]}" --output-dir "$work/$1-host" || return 1
  "$bin/mtrt" run "$bundle" --fill seed:0 "${masks[@]}" --device cuda "${driver[@]}" --output-dir "$work/$1-cuda" || return 1
  for tenant in $("$bin/mtrt" inspect "$bundle" --json - | jq -r '.tenants[].name'); do
    # Quantized models round at thresholds: the last bit of a sum may move an output by far more (test/sets/tolerances.py).
    case $tenant in *int8*) tolerance=0.1 ;; *) tolerance=1e-4 ;; esac
    "$bin/mtrt" compare "$work/$1-cuda/$tenant" "$work/$1-host/$tenant" --rel-norm $tolerance || return 1
    mapfile -t masks < <(mask_arguments "$bin/mtrt" "$bundle" "$work/masks" "$tenant")
    "$bin/mtrt" run "$bundle" --tenant "$tenant" --fill seed:0 "${masks[@]}" --device cuda "${driver[@]}" --output-dir "$work/$1-alone" || return 1
  done
  diff -r "$work/$1-alone" "$work/$1-cuda"
}
agree_shared() { # NAME SHARING: the bits of the round as one graph
  local bundle=$work/$1.mtb masks
  mapfile -t masks < <(mask_arguments "$bin/mtrt" "$bundle" "$work/masks")
  export MTC_FAKE_CUDA_KERNELS=$work/$1
  [ -d "$work/$1-cuda" ] || agree "$1" || return 1
  if [ "$2" = grids ]; then local -x MTC_FAKE_CUDA_SHARED=1; fi
  "$bin/mtrt" run "$bundle" --fill seed:0 "${masks[@]}" --device cuda "${driver[@]}" --cuda-sharing "$2" --output-dir "$work/$1-$2" || return 1
  diff -r "$work/$1-$2" "$work/$1-cuda"
}
sanitize() { # TOOL NAME
  local status=0
  if $is_fake || ! command -v compute-sanitizer; then echo "no compute-sanitizer"; return 77; fi
  timeout 120 compute-sanitizer --tool "$1" --error-exitcode 9 "$bin/mtrt" run "$work/$2.mtb" --fill seed:0 --device cuda || status=$?
  if [ $status = 124 ]; then echo "more than 120 s"; return 77; fi
  return $status
}
bench() { # NAME MODE [FLAG...]
  local count=(--iterations 200 --warmup 20)
  if [ "$2" = kernels ]; then count=(--iterations 50 --warmup 5); fi
  if $is_fake; then count=(--iterations 2 --warmup 0); fi
  export MTC_FAKE_CUDA_KERNELS=$work/$1
  if [ "${4:-}" = grids ]; then local -x MTC_FAKE_CUDA_SHARED=1; fi
  "$bin/mtrt" bench "$work/$1.mtb" --device cuda "${driver[@]}" --mode "$2" "${@:3}" "${count[@]}" --json "$work/bench.json"
}

trace() { # NAME: when each task of a round ran, on which groups of SMs; trace.jq makes a Chrome trace of it
  bench "$1" round --trace "$work/trace.json" || return 1
  jq '(.traceEvents | map(select(.name == "process_name") | {key: "\(.pid)", value: .args.name}) | from_entries) as $tenants
    | [.traceEvents[] | select(.ph == "X")] | (map(.ts) | min) as $first
    | group_by([.pid, .args.task]) | map(.[0] + {sm_groups: map(.tid) | sort})
    | sort_by(.ts) | map({tenant: $tenants["\(.pid)"], task: .args.task, name, kernel: .args.kernel, config: .args.config, sm_groups,
        start_us: ((.ts - $first) * 1000 | round / 1000), us: .dur, predicted_us: .args.predicted_us})' "$work/trace.json" > "$work/rows.json"
}

variants() { # BUNDLE BUDGET [FLAG...]: each variant of each kernel on each share, as lines that `mtc tune --import` reads; what there is time for
  local bundle=$1 budget=$2
  shift 2
  if $is_fake; then budget=2s; fi
  export MTC_FAKE_CUDA_KERNELS=$work/$bundle
  rm -f "$work/lines.jsonl"
  "$bin/mtrt" tune-run "$work/$bundle.mtb" --device cuda "${driver[@]}" --samples 7 --budget "$budget" "$@" -o "$work/lines.jsonl" -q || return 1
  jq -s . "$work/lines.jsonl" > "$work/variants.json"
}

step probe "$work/probe.json" probe
step "node tests of onnx" "$work/cases.json" cases
names=()
if $is_kit; then
  mapfile -t names < <(jq -r '.sets[]' "$here/kit.json")
  for name in "${names[@]}"; do step "unpack $name" - compile "$name"; done
elif $is_fake; then
  names=(small)
  step "compile small" - compile small "$@"
else
  if [ $# = 0 ]; then set -- "$root/python-free-examples/document-set/set.yaml" "$root"/test/sets/*.yaml; fi
  for set in "$@"; do
    name=$(basename "${set%.yaml}")
    [ "$name" != set ] || name=S1_document
    names+=("$name")
    step "compile $name" - compile "$name" "$set"
  done
fi
for name in "${names[@]}"; do
  step "answers $name" - agree "$name"
  # kernels: of every task its time, share of the roofline and what limits it.
  for mode in round solo kernels; do step "bench $mode $name" "$work/bench.json" bench "$name" "$mode"; rm -f "$work/bench.json"; done
  step "bench trace $name" "$work/rows.json" trace "$name"
  rm -f "$work/rows.json"
done
for name in "${names[@]}"; do
  step "variants $name" "$work/variants.json" variants "$name" 30s
  # Configs that the model thinks little of, too, each sampled as often: how well its ranking and a learned one hold.
  rm -f "$work/variants.json"
  step "candidates $name" "$work/variants.json" variants "$name-candidates" 30s --equally
  # Beside a neighbour that reads memory on the other SMs: what bandwidth and the second cache are worth.
  rm -f "$work/variants.json"
  step "beside $name" "$work/variants.json" variants "$name" 15s --neighbours low,medium,high
  rm -f "$work/variants.json"
done
# The other ways to share the SMs: the same bits, and how long a round takes so.
for name in "${names[@]}"; do
  for sharing in graphs grids; do
    step "answers $sharing $name" - agree_shared "$name" "$sharing"
    step "bench round $sharing $name" "$work/bench.json" bench "$name" round --cuda-sharing "$sharing"
    rm -f "$work/bench.json"
  done
done
for tool in memcheck racecheck initcheck synccheck; do
  for name in "${names[@]}"; do step "check $tool $name" - sanitize "$tool" "$name"; done
done

clocks=$(nvidia-smi --query-gpu=clocks.sm,clocks.mem,driver_version --format=csv,noheader 2> /dev/null || echo unknown)
if ! $is_fake && $is_kit; then out=$here/result.json; fi
if ! $is_fake && ! $is_kit; then out=$root/test/gpu/results/$(date +%F)-$(echo "$device" | tr -cs 'A-Za-z0-9\n' -).json; fi
# Some of the steps: the others stay as they were.
if [ -n "${MTC_GPU_STEPS:-}" ] && [ -e "$out" ]; then
  jq -c --slurpfile new "$steps" '.steps[] | select(.name as $name | all($new[]; .name != $name))' "$out" > "$work/old"
  cat "$steps" >> "$work/old"
  steps=$work/old
fi
jq -n --slurpfile steps "$steps" --slurpfile doctor "$work/doctor.json" --arg date "$(date -u +%FT%TZ)" --arg clocks "$clocks" --argjson fake $is_fake \
  --argjson kit "$(if $is_kit; then cat "$here/kit.json"; else echo null; fi)" \
  '{version: 1, fake: $fake, date: $date, clocks: $clocks, cuda: $doctor[0].cuda, steps: $steps} + (if $kit then {kit: $kit} else {} end)' > "$out"
echo "wrote $out"
exit $failed
