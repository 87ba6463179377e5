#!/usr/bin/env bash
# Runs every command of README.md's `sh` blocks as printed, in the repository's root.
set -euo pipefail
cd "$(dirname "$0")/../.."
test/sets/fetch-models.sh S1_document
rm -f build/tuning.db* # one that an earlier compiler wrote would be refused
count=0
while IFS= read -r command; do
  [ -n "$command" ] || continue
  echo "+ $command"
  bash -euo pipefail -c "$command" > build/readme.out 2>&1 || { cat build/readme.out; echo "FAILED: $command"; exit 1; }
  count=$((count + 1))
done < <(awk '/^```sh$/ {on = 1; next} /^```/ {on = 0} on' README.md)
[ "$count" -ge 5 ] || { echo "FAILED: only $count commands found"; exit 1; }
echo "$count commands of README.md ran"
