#!/bin/bash
# `make rpm`: the RPM packages, into build/rpm. On a system without an RPM database (Debian) the build requirements
# cannot be looked up: packaging/deps.sh has seen to them.
#
#     packaging/rpm.sh VERSION
set -euo pipefail
cd "$(dirname "$0")/.."

version=$1
out=$PWD/build/rpm
log=$out/build.log
rm -rf "$out"
mkdir -p "$out"/{SOURCES,tmp}
tar -c --exclude=./build --exclude=./demo --exclude=./.git --transform "s,^\.,haul-$version," . |
	gzip -1 >"$out/SOURCES/haul-$version.tar.gz"

nodeps=()
command -v dpkg-query >/dev/null && nodeps=(--nodeps)
rpmbuild -bb ${nodeps[@]+"${nodeps[@]}"} --define "_topdir $out" --define "_tmppath $out/tmp" \
	--define "haul_version $version" packaging/rpm/haul.spec >"$log" 2>&1 || {
	tail -n 20 "$log" | cut -c -200 >&2
	echo "rpm.sh: rpmbuild failed; all it said is in $log" >&2
	exit 1
}
find "$out/RPMS" -name '*.rpm' -exec mv {} "$out/" \;
rm -rf "$out"/{BUILD,BUILDROOT,RPMS,SPECS,SRPMS,SOURCES,tmp}
rpmlint --config packaging/rpm/rpmlint.toml packaging/rpm/haul.spec "$out"/haul*.rpm >>"$log" 2>&1 || {
	grep -E ': [EW]: ' "$log" >&2 || tail -n 20 "$log" >&2
	echo 'rpm.sh: rpmlint has findings' >&2
	exit 1
}
cd "$out"
ls -- *.rpm
