#!/bin/sh
# packages.sh - build the packages of debian/ in a fresh root of a Debian release, check them with lintian, install them
# into another one, use them (debian/tests/installed), and remove them without a trace.
#
# Usage: tools/packages.sh [SUITE [MIRROR [FOLDER]]]      as root, with debootstrap; 10 minutes
#   SUITE    bookworm, trixie, ... (default: what this machine has)
#   MIRROR   where that suite is (default: where apt of this machine gets its packages)
#   FOLDER   takes SUITE/*.deb, and the bare root for the next time (default: build/packages)
# PACKAGES_BUILT=1: the packages that FOLDER/SUITE has already are tried, no more.
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
say() { echo "== $*"; }
die() { echo "$0: $*" >&2; exit 1; }
skip() { echo "$0: $*" >&2; exit 77; }

[ "$(id -u)" = 0 ] || skip "packages are built in a root of their own, which needs root"
command -v apt-get >/dev/null || skip "there is no apt here"

suite=${1:-$(. /etc/os-release && echo "${VERSION_CODENAME:-}")}
mirror=${2:-$(apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 'Created-By: Packages' |
             awk '$1 == $2 && ($1 == "Debian" || $1 == "Ubuntu") {print $3; exit}')}
[ -n "$suite" ] || skip "which release? tools/packages.sh SUITE"
[ -n "$mirror" ] || skip "apt of this machine knows no mirror: name one"
folder=${3:-$here/build/packages}
out=$folder/$suite
base=$folder/$suite.tar
built=${PACKAGES_BUILT:-}
mkdir -p "$out"
work=$(mktemp -d "$folder/work.XXXXXX")

# ---------------------------------------------------------------- roots

leave() {
  status=$?
  for name in build fresh; do
    umount "$work/$name/proc" "$work/$name/dev" 2>/dev/null || true
    ! mountpoint -q "$work/$name/proc" || die "$work/$name/proc is still mounted: $work stays"
    ! mountpoint -q "$work/$name/dev" || die "$work/$name/dev is still mounted: $work stays"
  done
  rm -rf "$work"
  exit $status
}
trap leave EXIT
trap 'exit 130' INT TERM

bare_root() {
  command -v debootstrap >/dev/null || skip "debootstrap is missing: apt-get install debootstrap"
  say "a bare root of $suite, from $mirror"
  debootstrap --variant=minbase "$suite" "$work/base" "$mirror" >"$out/debootstrap.log" 2>&1 ||
    { tail -n 5 "$out/debootstrap.log" >&2; skip "$suite cannot be had from $mirror: see $out/debootstrap.log"; }
  tar -C "$work/base" -cf "$base.new" .
  mv "$base.new" "$base"
  rm -rf "$work/base"
}

# new_root NAME: a root in $work/NAME, without network services, without recommended packages.
new_root() {
  mkdir "$work/$1"
  tar -C "$work/$1" -xf "$base"
  [ ! -f /etc/resolv.conf ] || cp -L /etc/resolv.conf "$work/$1/etc/resolv.conf"
  printf '#!/bin/sh\nexit 101\n' >"$work/$1/usr/sbin/policy-rc.d"
  chmod +x "$work/$1/usr/sbin/policy-rc.d"
  echo 'APT::Install-Recommends "false";' >"$work/$1/etc/apt/apt.conf.d/90bare"
  mount -t proc proc "$work/$1/proc"
  mount --bind /dev "$work/$1/dev"
  in_root "$1" apt-get -q update
}

# in_root NAME COMMAND...: with its own environment, and what it says in a log that is shown when it fails.
in_root() {
  name=$1
  shift
  log=$out/$name.log
  if ! env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
       ${DEB_BUILD_OPTIONS:+DEB_BUILD_OPTIONS="$DEB_BUILD_OPTIONS"} chroot "$work/$name" "$@" >>"$log" 2>&1; then
    tail -n 30 "$log" >&2
    die "'$*' failed; the whole log is $log"
  fi
}

# ---------------------------------------------------------------- built

build_packages() {
  version=$(sed -n '1s/.*(\(.*\)).*/\1/p' "$here/debian/changelog")
  say "mho $version in a root of $suite"
  rm -f "$out"/build.log "$out"/*.deb "$out"/*.dsc "$out"/*.changes "$out"/*.buildinfo "$out"/*.tar.*
  new_root build
  in_root build apt-get -qy install build-essential devscripts equivs lintian
  mkdir -p "$work/build/build/mho-$version"
  (cd "$here" && git ls-files -z --cached --others --exclude-standard | tar --null --ignore-failed-read -T - -cf -) |
    tar -C "$work/build/build/mho-$version" --no-same-owner -xf -
  in_root build sh -c "cd /build/mho-$version && mk-build-deps --install --remove \
    --tool 'apt-get -qy --no-install-recommends' debian/control && dpkg-buildpackage -us -uc"
  for file in "$work"/build/build/mho_* "$work"/build/build/*.deb; do
    [ ! -f "$file" ] || cp "$file" "$out/"
  done
  rm -f "$out"/*build-deps*

  say "lintian"
  in_root build sh -c 'cd /build && lintian --version && lintian --allow-root --tag-display-limit 0 --info --display-info \
    --fail-on error,warning mho_*.changes'
}

[ -f "$base" ] || bare_root
[ -n "$built" ] || build_packages

# ---------------------------------------------------------------- installed, used, removed

# Every file of a root, but what apt and dpkg keep for themselves and caches that belong to nobody.
files_of() {
  (cd "$work/$1" && find . -xdev \( -path ./proc -o -path ./dev -o -path ./tmp -o -path ./debs -o -path ./var/lib/apt \
    -o -path ./var/lib/dpkg -o -path ./var/cache/apt -o -path ./var/log \) -prune -o -print | sort)
}

say "installed into a root that has nothing else"
rm -f "$out/fresh.log"
new_root fresh
mkdir "$work/fresh/debs"
cp "$out"/*.deb "$work/fresh/debs/"
rm -f "$work"/fresh/debs/*dbgsym*
in_root fresh apt-get -qy install gcc libc6-dev pkgconf
in_root fresh sh -c 'apt-get -qy install $(dpkg-deb -f /debs/libmho-dev_*.deb Depends | tr , "\n" |
  sed -n "s/^ *\([a-z0-9.+-]*-dev\).*/\1/p") python3-numpy libngspice0 gnuplot-nox'
files_of fresh >"$work/before"
in_root fresh sh -c 'apt-get -qy install /debs/*.deb'
in_root fresh sh -c 'dpkg -V libmho0 libmho-dev mho-common mho python3-mho mho-doc'

say "used"
cp "$here/debian/tests/installed" "$work/fresh/debs/installed"
in_root fresh sh -c 'cd "$(mktemp -d)" && /debs/installed'
in_root fresh python3 - <<'PY'
import statistics, subprocess, sys, time

def milliseconds(statement):
    start = time.perf_counter()
    subprocess.run([sys.executable, '-c', statement], check=True)
    return 1000 * (time.perf_counter() - start)

for statement in ('pass', 'import mho', 'import mho; mho.Experiment'):
    found = sorted(milliseconds(statement) for _ in range(15))
    print(f'python3 -c {statement!r}: {statistics.median(found):.0f} ms, {found[0]:.0f} at best')
PY
grep "python3 -c" "$out/fresh.log"

say "removed"
in_root fresh sh -c 'apt-get -qy purge libmho0 libmho-dev mho-common mho python3-mho mho-doc && apt-get -qy autoremove --purge'
files_of fresh >"$work/after"
if ! diff "$work/before" "$work/after" >"$out/left.log"; then
  cat "$out/left.log" >&2
  die "not all of it has gone, or something else has: $out/left.log"
fi
say "packages are in $out"
ls "$out"/*.deb
