#!/usr/bin/env bash
# Installs what is missing, builds everything, fetches the models that tests read and runs all tests through ctest.
#
#   ./test.sh [--long] [ctest arguments]     --long runs the tests labelled `long`, too
#
# Exits non-zero on any failure. Its last lines are ctest's.
set -euo pipefail
cd "$(dirname "$0")"
. cmake/setup.sh
labels=(-LE long)
if [ "${1:-}" = --long ]; then labels=(); shift; fi
install_packages yes
mkdir -p build
make_venv
fetch_cuda
build all
say "fetching the models of the four sets (360 MB, once)"
test/sets/fetch-models.sh S1_document S2_speech S3_vision S4_text
say "testing"
exec ctest --test-dir build --output-on-failure -j "$(nproc)" "${labels[@]}" "$@"
