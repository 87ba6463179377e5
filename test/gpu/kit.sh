#!/usr/bin/env bash
# Packs what a machine with a GPU needs to answer everything in one command, without a compiler, toolkit or network there.
#
#   test/gpu/kit.sh OUT.tar.xz [SET...]                  default: all four sets
#   test/gpu/kit.sh OUT.tar.xz --models NAME MODEL...    one set of small models, as they are
#
#   there:  tar xf OUT.tar.xz && gpu-kit/run.sh          writes gpu-kit/result.json
#
# The kit holds mtrt, the probe, jq and their libraries, bundles for sm_90a, candidates to tune, and what the host answers to the same seeded
# inputs. Large weights are random (light-models.py), so that the kit stays below 60 MB. Its bundles have no target for a host:
# packed weights would not fit. run.sh is run-all.sh.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${MTC_BUILD:-$root/build}
arch=sm_90a
limit=60000000
out=$(realpath "$1")
shift
. "$root/test/gpu/masks.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
kit=$work/gpu-kit
mkdir -p "$kit/bin" "$kit/lib" "$kit/bundles" "$kit/references"

cp "$build/bin/mtrt" "$build/bin/mtc-gpu-probe" "$(command -v jq)" "$kit/bin/"
strip "$kit"/bin/*
# Libraries but those of the system (glibc, libstdc++), of which a machine that runs CUDA has its own.
ldd "$kit"/bin/* | awk '$2 == "=>" && $1 !~ /^(libc|libm|libdl|librt|libpthread|libstdc\+\+|libgcc_s)\.so/ {print $3}' | sort -u | xargs -I{} cp -L {} "$kit/lib/"
cp "$root/test/gpu/run-all.sh" "$kit/run.sh"
cp "$root/test/gpu/masks.sh" "$kit/"

# add NAME ARGUMENTS...: compiles for the GPU into the kit, and for the host to answer.
add() {
  local name=$1 masks
  shift
  echo "compiling $name"
  "$build/bin/mtc" compile "$@" --target "cuda:$arch" -o "$kit/bundles/$name.mtb" -q
  "$build/bin/mtc" tune "$@" --target "cuda:$arch" --search-steps 150 --kernel-steps 8 --drawn 50 --pack "$kit/bundles/$name-candidates.mtb" -q
  "$build/bin/mtc" compile "$@" --target host -o "$work/host.mtb" -q
  mapfile -t masks < <(mask_arguments "$build/bin/mtrt" "$work/host.mtb" "$work/masks")
  "$build/bin/mtrt" run "$work/host.mtb" --fill seed:0 "${masks[@]}" --output-dir "$kit/references/$name" > /dev/null
}

names=()
if [ "${1:-}" = --models ]; then
  names=("$2")
  add "$2" "${@:3}"
else
  [ $# -gt 0 ] || set -- S1_document S2_speech S3_vision S4_text
  for name; do
    manifest=$root/test/sets/$name.yaml
    [ -e "$manifest" ] || manifest=$root/python-free-examples/document-set/set.yaml
    "$root/test/sets/fetch-models.sh" "$name"
    mapfile -t models < <(awk -F'\t' -v s="$name" '$2 == s {print $1}' "$root/test/sets/models.tsv")
    "$root/build/venv/bin/python" -B "$root/test/gpu/light-models.py" "$root/build/models" "$work/models" "${models[@]}"
    sed "s|model: .*/\([^/]*\.onnx\)|model: $work/models/\1|" "$manifest" > "$work/$name.yaml"
    add "$name" "$work/$name.yaml"
    rm -rf "$work/models"
    names+=("$name")
  done
fi
jq -n --arg arch "$arch" --arg commit "$(git -C "$root" rev-parse HEAD 2> /dev/null || echo unknown)" \
  --arg date "$(date -u +%F)" '{version: 1, arch: $arch, commit: $commit, packed: $date, sets: $ARGS.positional}' \
  --args "${names[@]}" > "$kit/kit.json"

# One random bit a weight: literals are coded by the two bits of their position in a word.
tar -C "$work" -cf - gpu-kit | xz -T2 --lzma2=preset=3,lc=0,lp=2,pb=2 > "$out"
bytes=$(stat -c %s "$out")
echo "$out: $(awk -v b="$bytes" 'BEGIN {printf "%.1f", b / 1e6}') MB, ${names[*]}"
[ "$bytes" -le $limit ] || { echo "error: more than $((limit / 1000000)) MB"; exit 1; }
