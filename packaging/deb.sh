#!/bin/bash
# `make deb`: the Debian packages, into build/deb. Built in a copy of the tree in which packaging/debian stands as
# debian/, so that the tree itself stays as it is; the same tree gives the same packages, bit by bit.
#
#     packaging/deb.sh VERSION
#
# DEB_BUILD_OPTIONS is `nocheck` unless it is set: the tests are `make check`'s.
set -euo pipefail
cd "$(dirname "$0")/.."

version=$1
out=$PWD/build/deb
tree=$out/haul-$version
changelog=$(dpkg-parsechangelog -l packaging/debian/changelog -S Version)
[ "$changelog" = "$version" ] || {
	echo "deb.sh: the Makefile says version $version, packaging/debian/changelog $changelog" >&2
	exit 1
}
rm -rf "$out"
mkdir -p "$tree"
tar -c --exclude=./build --exclude=./demo --exclude=./.git . | tar -x -C "$tree"
cp -r packaging/debian "$tree/debian"

log=$out/build.log
cd "$tree"
DEB_BUILD_OPTIONS=${DEB_BUILD_OPTIONS-nocheck parallel=$(nproc)} dpkg-buildpackage -us -uc -b >"$log" 2>&1 || {
	tail -n 20 "$log" | cut -c -200 >&2
	echo "deb.sh: dpkg-buildpackage failed; all it said is in $log" >&2
	exit 1
}
cd "$out"
rm -rf "$tree"
# Lintian would rather not run as root; here it only reads.
lintian --allow-root --fail-on error,warning --info haul_"$version"_*.changes
ls -- *.deb
