#!/usr/bin/env bash
# Makes problems.tar.xz again: the Problems of all models, at batch 1 and 8, for each frozen device.
#
#   freeze.sh MTC FREEZE_PROBLEM MODELS_TSV MODELS_FOLDER
#
# Batch 8 multiplies the first extent of every input by 8. A model that refuses that has no file for
# batch 8: sets then hold its batch 1 eight times. Only for a deliberate new freeze: results are
# compared on what is committed.
set -euo pipefail
mtc=$1 freeze=$2 table=$3 models=$4
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/problems"

while IFS=$'\t' read -r name set _ _ _ _ _ _ _ _ shapes _; do
  case $set in S[1-4]_*) ;; *) continue ;; esac
  for batch in 1 8; do
    arguments=()
    for shape in $shapes; do
      extents=${shape##*=}
      arguments+=(--shapes "$name/${shape%=*}:$((${extents%%x*} * batch))x${extents#*x}")
    done
    "$mtc" compile "$name=$models/$name.onnx" --target host:x86-64-v4,cores=2 "${arguments[@]}" \
      --emit=problem -o "$work/$name.b$batch.model" 2>"$work/error" || cat "$work/error"
  done
done < "$table"
python3 "$here/make-nets.py" "$work"

for file in "$work"/*.b[18].model "$work"/*.b[18].nets; do
  name=$(basename "${file%.*}")
  for device in host gpu-f32 gpu-f16; do
    "$freeze" "$file" $device "$work/problems/$name.$device.txt"
  done
done
tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$work" -cf - problems | xz -9e > "$here/problems.tar.xz"
ls -l "$here/problems.tar.xz"
