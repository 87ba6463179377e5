#!/usr/bin/env bash
# damage.sh BUNDLE KIND OUT: a copy with one byte changed in the middle of the first section of that kind.
offset=$(mtrt inspect "$1" | awk -v k="$2" '$1 == "section" && $2 == k {print $6 + int($3 / 2); exit}')
cp "$1" "$3"
byte=$(od -An -tu1 -j "$offset" -N 1 "$1")
printf "$(printf '\\x%02x' $((byte ^ 85)))" | dd of="$3" bs=1 seek="$offset" conv=notrunc status=none
