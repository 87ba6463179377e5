#!/usr/bin/env bash
# Five pretrained models, compiled together into one bundle, run on this machine and checked
# against onnxruntime.
#
#   ./demo.sh [--yes] [--cuda]      --yes installs Debian packages without asking
#
# --cuda compiles the set for a GPU, too (sm_90a, H100 and H200), and shows its kernels as ptxas has assembled them. No
# GPU is needed, and none is used. Without NVIDIA's toolkit ptxas comes from a wheel.
#
# Everything it makes lies under build/; models and compiled kernels are cached in
# ${XDG_CACHE_HOME:-~/.cache}/mtc. A second run reuses all of it.
set -euo pipefail
cd "$(dirname "$0")"
. cmake/setup.sh

ask=ask cuda=no
for argument; do
  case "$argument" in
    --yes) ask=yes ;;
    --cuda) cuda=yes ;;
    -h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) die "unknown argument '$argument'; known: --yes, --cuda, --help" ;;
  esac
done

set=python-free-examples/document-set
bundle=build/document.mtb
mkdir -p build
install_packages "$ask"
make_venv
[ $cuda = no ] || fetch_cuda
build mtc mtrt
test/sets/fetch-models.sh S1_document

if [ "$bundle" -nt build/bin/mtc ] && [ "$bundle" -nt $set/set.yaml ] && [ -d build/ir ]; then
  say "$bundle is up to date"
else
  say "compiling the set"
  build/bin/mtc compile $set/set.yaml -o $bundle --dump-ir build/ir --json build/compile.json
fi

references=build/references
if [ ! -f $references/.done ]; then
  say "reference outputs from onnxruntime"
  grep -E '^name|	S1_document	' test/sets/models.tsv > build/document.tsv
  build/venv/bin/python test/peers/peers.py --table build/document.tsv static build/models $references
  touch $references/.done
fi

say "running a round of all tenants and comparing every output with onnxruntime's"
arguments=()
while read -r tenant; do
  while IFS=$'\t' read -r option kind name; do
    file=$references/$tenant/$kind.$(printf %s "$name" | tr '/:' '__').npy
    arguments+=("$option" "$tenant/$name=@$file")
  done < <(jq -r '(.inputs[] | "--input\tin\t" + .), (.outputs[] | "--expected-output\tout\t" + .)' \
    $references/"$tenant"/io.json)
done < <(jq -r '.tenants[].name' build/compile.json)
build/bin/mtrt run $bundle "${arguments[@]}" --rel-norm 1e-4 --json build/run.json

say "measuring: each tenant alone on all cores, then rounds of all"
build/bin/mtrt bench $bundle --mode solo --json build/solo.json > /dev/null
build/bin/mtrt bench $bundle --mode round --json build/round.json --trace build/trace.json > /dev/null

printf '\n%-16s %14s %18s %16s\n' tenant 'alone, ms' 'in the round, ms' 'relative error'
jq -r -n --slurpfile solo build/solo.json --slurpfile round build/round.json --slurpfile run build/run.json '
  $round[0].tenants[] | .name as $n
  | [$n, ($solo[0].tenants[] | select(.name == $n) | .median_ms), .median_ms,
     ([$run[0].outputs[] | select(.tenant == $n) | .rel_norm] | max)] | @tsv' |
  while IFS=$'\t' read -r name alone round error; do
    printf '%-16s %14.2f %18.2f %16.1e\n' "$name" "$alone" "$round" "$error"
  done
printf '\na round of all five, host to host: %.1f ms (median; measured on this machine, %s)\n' \
  "$(jq .round_ms.median build/round.json)" "$(jq -r .device build/round.json)"
if [ $cuda = yes ]; then
  say "compiling the set for a host and for GPUs of sm_90a in one bundle"
  build/bin/mtc compile $set/set.yaml --target host --target cuda:sm_90a -o build/document-cuda.mtb
  build/bin/mtrt verify build/document-cuda.mtb
  build/bin/mtrt inspect build/document-cuda.mtb --json build/document-cuda.json > /dev/null
  printf '\nkernels for a GPU, as ptxas has assembled them; no GPU has run them here\n'
  printf '%-16s %8s %10s %14s %18s %8s\n' emitter kernels functions 'registers, max' 'shared bytes, max' spilling
  jq -r '[.targets[] | .gpu_kernels // empty | .[] | {e: (.config | capture("emitter = \"(?<e>[a-z_0-9]+)\"").e), f: .functions}]
    | group_by(.e)[] | [.[0].e, length, (map(.f | length) | add), (map(.f[].registers) | max), (map(.f[].shared_bytes) | max),
       (map(select(any(.f[]; .spill_bytes > 0))) | length)] | @tsv' build/document-cuda.json |
    while IFS=$'\t' read -r emitter kernels functions registers shared spilling; do
      printf '%-16s %8s %10s %14s %18s %8s\n' "$emitter" "$kernels" "$functions" "$registers" "$shared" "$spilling"
    done
fi
cat <<END

bundle        $bundle            (build/bin/mtrt inspect $bundle)
trace         build/trace.json   (open in a Chrome trace viewer)
IR by phase   build/ir/
END
