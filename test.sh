#!/usr/bin/env bash
# Installs what is missing, builds everything and runs all tests through ctest.
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
build all
say "fetching the models of set S1_document"
test/sets/fetch-models.sh S1_document
say "testing"
exec ctest --test-dir build --output-on-failure -j "$(nproc)" "${labels[@]}" "$@"
