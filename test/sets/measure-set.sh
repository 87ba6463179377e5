#!/usr/bin/env bash
# Measures what a set of real models costs on this machine and prints it; fails where a bound is passed.
# Run it on an otherwise idle machine.
#
#   test/sets/measure-set.sh SET MANIFEST [PEER_RATIO]
#
# Compile cold (60 s) and warm (5 s); a round against the best peer in the same run (PEER_RATIO, default 2); size of
# mtrt (3 MB stripped, no libLLVM or libMLIR); first answer of the smallest tenant (50 ms); resident memory of a round
# (weights touched + 1.5 x planned arenas + 16 MB).
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/sets/common.sh
set_name=$1 manifest=$2 bound=${3:-2}
work=build/measure/$set_name
rm -rf "$work"
mkdir -p "$work"
test/sets/fetch-models.sh "$set_name"
make_references "$set_name"
failed=0
verdict() { # NAME VALUE BOUND UNIT
  if awk -v v="$2" -v b="$3" 'BEGIN {exit !(v <= b)}'; then word=ok; else word=FAILED; failed=1; fi
  printf '%-44s %10.2f %-4s (bound %s) %s\n' "$1" "$2" "$4" "$3" "$word"
}
seconds() { local TIMEFORMAT=%R; { time "$@" > /dev/null 2>&1; } 2>&1; }

verdict "compile, cold cache" "$(seconds $bin/mtc compile "$manifest" -o "$work/set.mtb" --cache-dir "$work/cache")" 60 s
verdict "compile, warm cache" "$(seconds $bin/mtc compile "$manifest" -o "$work/set.mtb" --cache-dir "$work/cache")" 5 s

cp $bin/mtrt "$work/mtrt"
strip "$work/mtrt"
verdict "mtrt, stripped" "$(stat -c %s "$work/mtrt" | awk '{print $1 / 1e6}')" 3 MB
if ldd $bin/mtrt | grep -E 'LLVM|MLIR'; then echo "mtrt needs LLVM or MLIR: FAILED"; failed=1; fi

if jq -e '.tenants[] | select(.name == "magika")' > /dev/null <($bin/mtrt inspect "$work/set.mtb" --json -); then
  mapfile -t alone < <(input_arguments magika "")
  for _ in 1 2 3 4 5; do seconds $bin/mtrt run "$work/set.mtb" --tenant magika "${alone[@]}"; done |
    sort -n | sed -n 3p > "$work/first"
  verdict "first answer of magika, from process start" "$(awk '{print $1 * 1000}' "$work/first")" 50 ms
fi

$bin/mtrt bench "$work/set.mtb" --mode round --iterations 20 --json "$work/memory.json" > /dev/null
# The bench also holds a caller's copy of every tensor, so the peak is that of a run of one round.
inputs=()
while read -r t; do
  mapfile -t -O "${#inputs[@]}" inputs < <(input_arguments "$t" "$t/")
done < <($bin/mtrt inspect "$work/set.mtb" --json - | jq -r '.tenants[].name')
peak=$(python3 -c 'import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6)' \
  $bin/mtrt run "$work/set.mtb" "${inputs[@]}")
verdict "resident memory of a round" "$peak" \
  "$(jq '(.memory.weight_bytes + 1.5 * .memory.arena_bytes) / 1e6 + 16' "$work/memory.json")" MB

# Peer and mtc in turn, three times; medians of each.
for i in 1 2 3; do
  $bin/mtrt bench "$work/set.mtb" --mode round --iterations 60 --json "$work/round-$i.json" > /dev/null
  build/venv/bin/python test/peers/peers.py --table "build/$set_name.tsv" round "$references" "$set_name" > /dev/null
  jq --arg s "$set_name" '.[$s].best' "$references/round.json" >> "$work/peer"
  jq '.round_ms.median' "$work/round-$i.json" >> "$work/ours"
done
ours=$(sort -n "$work/ours" | sed -n 2p) peer=$(sort -n "$work/peer" | sed -n 2p)
printf 'a round: mtc %.1f ms, best peer %.1f ms\n' "$ours" "$peer"
verdict "a round against the best peer, ratio" "$(awk -v a="$ours" -v b="$peer" 'BEGIN {print a / b}')" "$bound" x
exit $failed
