#!/usr/bin/env bash
# The probe against the fake driver: every call is one that the driver's manual allows, and every section answers. The
# numbers mean nothing. Two sections break rules of the fake on purpose: `priorities` fills SMs twice at once.
set -euo pipefail
build=${MTC_BUILD:-build}
[ -e "$build/unittests/libcuda-fake.so" ] || { echo "no fake driver"; exit 7; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export MTC_FAKE_CUDA_KERNELS=$build/unittests/probe-kernels
"$build/bin/mtc-gpu-probe" --driver "$build/unittests/libcuda-fake.so" --repeat 2 --copy-mib 1 > "$work/probe.json" 2> "$work/log" ||
  { cat "$work/log"; exit 1; }
# what SECTION: its error, or that it answers.
jq -r 'to_entries[] | select(.key != "version" and .key != "verdict")
  | .key + ": " + (if (.value | type) == "object" and (.value | has("error")) then .value.error else "ok" end)' "$work/probe.json" | tee "$work/got"
diff "$work/got" - <<'END'
device: ok
partitions: ok
unions: ok
edges: ok
priorities: cuGraphInstantiateWithFlags: CUDA_ERROR_INVALID_VALUE
ranges: ok
launches: ok
switches: ok
copies: ok
contexts: ok
compute: ok
bandwidth: ok
graph_per_partition: ok
END
# The only violation is the one that is meant.
sort -u "$work/log" | tee "$work/violations"
diff <(grep -c 'share SMs and no edge orders them' "$work/violations") <(wc -l < "$work/violations")
jq -e '.verdict.copies_are_right and .edges.visibility.wrong == 0 and (.launches | length) > 8
  and .device.groups == [range(16) | 8] and .device.rest_sms == 4' "$work/probe.json" > "$work/verdict"
