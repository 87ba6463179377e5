# Shell functions that demo.sh and test.sh share: packages, virtual environment, build.
# Sourced from the repository's root; needs bash.

say() { printf '\n== %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# The Debian packages of cmake/debian-packages.txt that are not installed yet.
missing_packages() {
  local package
  while read -r package; do
    case "$package" in ''|'#'*) continue ;; esac
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
  done < cmake/debian-packages.txt
}

# install_packages yes|ask: says what it will install, asks unless told yes, installs with apt.
install_packages() {
  local missing root=()
  missing=$(missing_packages | tr '\n' ' ')
  [ -n "${missing// /}" ] || return 0
  [ "$(id -u)" = 0 ] || root=(sudo)
  say "Debian packages to install with ${root[*]:+sudo }apt-get"
  printf '%s\n' "$missing" | fold -s -w 100
  if [ "$1" = ask ]; then
    printf 'Install them? [y/N] '
    read -r answer || answer=n
    case "$answer" in y|Y|yes) ;; *) die "nothing was installed; run with --yes to agree" ;; esac
  fi
  [ "${#root[@]}" = 0 ] || command -v sudo >/dev/null || die "not root and no sudo: install the packages above, then run again"
  "${root[@]}" apt-get update -q
  # shellcheck disable=SC2086
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
}

# A virtual environment under build/ with the peers: they check answers and are never part of the product.
make_venv() {
  local stamp=build/venv/.requirements
  cmp -s test/peers/requirements.txt "$stamp" && return 0
  say "Python packages into build/venv (onnxruntime and openvino, to check against)"
  python3 -m venv build/venv
  build/venv/bin/pip install -q --disable-pip-version-check -r test/peers/requirements.txt
  cp test/peers/requirements.txt "$stamp"
}

# ptxas and cuda.h, for machines without NVIDIA's toolkit: from two of NVIDIA's wheels into build/cuda, with a link where mtc
# looks for ptxas. pip is only a downloader. Where that fails everything is built without the CUDA device, and said to be.
fetch_cuda() {
  local header=/usr/local/cuda/include/cuda.h
  if { command -v ptxas || [ -x /usr/local/cuda/bin/ptxas ]; } > /dev/null && [ -f $header ]; then return 0; fi
  if ! cmp -s cmake/cuda-wheels.txt build/cuda/.wheels; then
    say "ptxas and cuda.h into build/cuda, from wheels under NVIDIA's licence (40 MB)"
    rm -rf build/cuda
    if ! python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --no-deps --only-binary :all: --require-hashes \
      --target build/cuda -r cmake/cuda-wheels.txt; then
      rm -rf build/cuda
      say "they cannot be had: going on without ptxas (bundles hold PTX alone) and without the CUDA device"
      return 0
    fi
    cp cmake/cuda-wheels.txt build/cuda/.wheels
  fi
  mkdir -p build/bin
  ln -sf ../cuda/nvidia/cu13/bin/ptxas build/bin/ptxas
  # A tree that was configured without them looks again only when it is told to.
  if [ -f build/build.ninja ] && grep -q '^MTC_CUDA_INCLUDE_DIR:.*-NOTFOUND' build/CMakeCache.txt; then cmake build > /dev/null; fi
}

# build TARGET...: configures the dev preset once and builds; the first time libonnx is built, too.
build() {
  [ -f build/build.ninja ] || { say "configuring (the first time this builds libonnx)"; cmake --preset dev; }
  say "building $*"
  cmake --build build -- "$@"
}
