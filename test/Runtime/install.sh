#!/usr/bin/env bash
# The installed runtime is enough for an application: an example builds against it with CMake and
# with pkg-config, and runs. Nothing but the C API is visible, and no library of LLVM is needed.
#
#   install.sh SOURCE BUILD CC CXX
set -euo pipefail
source=$1 build=$2 cc=$3 cxx=$4
work=$build/test/install
rm -rf "$work"
mkdir -p "$work"
fail() { echo "FAILED: $*"; exit 1; }

for component in runtime dev; do
  cmake --install "$build" --prefix "$work/usr" --component $component > /dev/null
done
lib=$(dirname "$(find "$work/usr" -name libmtrt.so.0)")
"$build/unittests/mtc-write-sample" "$work/s.mtb" 2

cmake -S "$source/python-free-examples/embed-c" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/usr" \
  -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" > /dev/null
cmake --build "$work/build" > /dev/null
[ "$("$work/build/embed" "$work/s.mtb" chain)" = "y: f32, 4096 bytes, first value 0" ] || fail "embed by CMake"
[ "$("$work/build/embed-cpp" "$work/s.mtb" fragile x y)" = "y[0] = 0" ] || fail "embed-cpp by CMake"

export PKG_CONFIG_PATH=$lib/pkgconfig
"$cc" -Wall -Werror "$source/python-free-examples/embed-c/embed.c" $(pkg-config --cflags --libs mtrt) -o "$work/embed"
[ "$(LD_LIBRARY_PATH=$lib "$work/embed" "$work/s.mtb" slow)" = "y: f32, 4096 bytes, first value 0" ] || fail "embed by pkg-config"
[ "$(pkg-config --modversion mtrt)" = 0.1.0 ] || fail "version"

# Errors keep their code and their words.
rc=0
words=$(LD_LIBRARY_PATH=$lib "$work/embed" "$work/s.mtb" nobody 2>&1) || rc=$?
[ $rc = 2 ] || fail "exit code $rc, wanted 2"
[ "$words" = "embed: invalid argument: unknown tenant 'nobody'; known: chain, diamond, phases, fragile, slow" ] || fail "$words"

nm -D --defined-only "$lib/libmtrt.so.0" | awk '{print $NF}' | grep -v '^mtrt_\|^MTRT_0' && fail "more than the C API is visible"
ldd "$lib/libmtrt.so.0" "$work/usr/bin/mtrt" | grep -E 'LLVM|MLIR' && fail "LLVM is needed"
readelf -d "$lib/libmtrt.so.0" | grep 'SONAME.*\[libmtrt.so.0\]' > /dev/null || fail "soname"
strip "$work/usr/bin/mtrt"
[ "$(stat -c %s "$work/usr/bin/mtrt")" -le 3000000 ] || fail "mtrt is larger than 3 MB"
echo "ok: the installed runtime serves C and C++ by CMake and by pkg-config"
