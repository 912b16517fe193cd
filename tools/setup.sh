# setup.sh - for ./quickstart and ./check: install what is missing from Debian, and build into ./build. check_packages
# are what the tests use beside, slow_packages what makes web pages of the manual and opens them, and roots for the packages.
# Sourced with the working directory at the top of the tree.

packages="gcc libc6-dev pkg-config meson ninja-build python3 python3-numpy python3-scipy
  libgsl-dev libopenblas-dev libsuitesparse-dev libsqlite3-dev libyaml-dev libjansson-dev libsmartcols-dev
  libmd-dev zlib1g-dev libcurl4-openssl-dev libngspice0-dev ngspice libcmocka-dev gnuplot-nox"
# Estimators and notebooks: 280 MB. PyTorch, 960 MB, is not among them: its tests run where it is (python3-torch).
check_packages="python3-pandas python3-sklearn python3-matplotlib python3-tqdm python3-ipykernel python3-nbclient clang-format g++ man-db groff-base mandoc zsh fish"
slow_packages="python3-sphinx python3-myst-parser furo chromium debootstrap"
[ "$(uname -m)" != x86_64 ] || packages="$packages libxsmm-dev"

die() {
  echo "$0: $*" >&2
  exit 1
}

# install_missing [PACKAGE...] installs these, too.
install_missing() {
  missing=""
  for p in $packages "$@"; do
    dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
  done
  [ -z "$missing" ] && return
  echo "installing from the distribution, which takes some minutes:$missing"
  root=""
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "these packages need root to install, and there is no sudo: run as root
  apt-get update && apt-get install --no-install-recommends$missing"
    root="sudo"
  fi
  log=$(mktemp)
  if ! { $root apt-get update && $root env DEBIAN_FRONTEND=noninteractive \
         apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    die "the installation failed; its whole log is $log"
  fi
  rm -f "$log"
}

# build DIR [MESON OPTION...]
build() {
  dir=$1
  shift
  [ -f "$dir/build.ninja" ] || meson setup "$dir" "$@" >"$dir.log" 2>&1 || { tail -n 20 "$dir.log" >&2; die "the build could not be set up"; }
  rm -f "$dir.log"
  ninja -C "$dir" >"$dir/build.log" 2>&1 || { tail -n 30 "$dir/build.log" >&2; die "the build failed; its whole log is $dir/build.log"; }
}

command -v dpkg-query >/dev/null || die "this script installs from Debian (12 or newer); elsewhere install by hand:
$packages
then: meson setup build && ninja -C build"
