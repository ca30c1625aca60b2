#!/bin/bash
# The only place where haul's Debian packages are named. Installs what is missing of the groups asked
# for; silent and without the network when all is there.
#
#     packaging/deps.sh [--check] GROUP...      build, test, lint, fuzz, deb, rpm, install, extras, containers, bench
#     packaging/deps.sh --unpack DIR GROUP...   peers, writers
#
# --check only tells what is missing (exit 1 then). --unpack installs nothing: the packages' files go below DIR, for
# programs that conflict with what a machine has or with each other, and for daemons that shall not become services of
# it. Debian 12 and Ubuntu 24.04; a name that differs
# between them is written as alternatives A|B: any that is installed will do, else the first that the
# machine's sources have. `extras` are programs whose formats haul ships files in (Prometheus, systemd): the
# tests that try those are skipped without them. `containers` are the engines that some scenarios run containers with:
# 300 MB, which nobody needs to build haul; without them those scenarios are skipped.
set -euo pipefail
groups='build, test, lint, fuzz, deb, rpm, install, extras, containers, bench, peers, writers'

group_packages() {
	case $1 in
	build) echo gcc libc6-dev binutils make 'pkg-config|pkgconf' \
		'libcurl4-gnutls-dev|libcurl4-openssl-dev' libmicrohttpd-dev libisal-dev zlib1g-dev \
		libzstd-dev libyajl-dev libsqlite3-dev libpcre2-dev libgnutls28-dev libsystemd-dev \
		'libinotifytools0-dev|libinotifytools-dev' ;;
	test) echo check curl gzip zstd ripgrep lnav pigz python3 util-linux procps valgrind strace openssl sqlite3 \
		systemd-journal-remote zsh libyaml-libyaml-perl ;;
	lint) echo clang-format clang-tidy cppcheck shellcheck mandoc check ;;
	fuzz) echo clang "libclang-rt-$(clang_version)-dev" ;;
	deb) echo debhelper dpkg-dev fakeroot lintian ;;
	rpm) echo rpm rpmlint ;;
	install) echo debootstrap ;;
	extras) echo prometheus systemd ;;
	containers) echo docker.io runc podman busybox-static ;;
	bench) echo ripgrep gzip zstd curl procps time ;;
	peers) echo rsyslog libestr0 libfastjson4 liblognorm5 syslog-ng-core libivykis0 libnet1 libjson-c5 \
		libpcre3 libwrap0 ;;
	writers) echo logrotate libpopt0 nginx rsyslog libestr0 libfastjson4 liblognorm5 ;;
	*) echo "deps.sh: no group $1 ($groups)" >&2 && exit 2 ;;
	esac
}

# The runtime of libFuzzer and the sanitizers is a package with the compiler's version in its name.
clang_version() {
	{
		dpkg-query -W -f 'Depends: ${Depends}\n' clang 2>/dev/null
		apt-cache show clang 2>/dev/null
	} | sed -n 's/^Depends:.*\bclang-\([0-9][0-9]*\).*/\1/p' | head -n 1
}

installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

any_installed() { # A|B...
	local name
	for name in ${1//|/ }; do
		installed "$name" && return 0
	done
	return 1
}

first_available() { # A|B...
	local name
	for name in ${1//|/ }; do
		if apt-cache show --no-all-versions "$name" >/dev/null 2>&1; then
			echo "$name"
			return
		fi
	done
	echo "${1%%|*}" # apt-get will say that it is not there
}

check_only=no
if [ "${1-}" = --check ]; then
	check_only=yes
	shift
fi
unpack_to=
if [ "${1-}" = --unpack ]; then
	unpack_to=${2-}
	shift $(($# > 1 ? 2 : 1))
fi
[ $# -gt 0 ] || {
	echo "usage: deps.sh [--check | --unpack DIR] GROUP... ($groups)" >&2
	exit 2
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	echo "deps.sh: this is not a Debian or Ubuntu; please see to these yourself: $(
		for group in "$@"; do group_packages "$group"; done | tr '\n' ' '
	)" >&2
	exit 0
fi

unpack() { # unpack DIR GROUP...
	local dir=$1 group name names=()
	shift
	for group in "$@"; do
		for name in $(group_packages "$group"); do
			names+=("$(first_available "$name")")
		done
	done
	[ "$(cat "$dir/.packages" 2>/dev/null)" != "${names[*]}" ] || return 0
	rm -rf "$dir"
	mkdir -p "$dir/.debs"
	echo "fetching ${names[*]}"
	(cd "$dir/.debs" && apt-get -qq download "${names[@]}" 2>/dev/null) || {
		echo "deps.sh: could not fetch ${names[*]}" >&2
		return 1
	}
	for name in "$dir"/.debs/*.deb; do
		dpkg-deb -x "$name" "$dir"
	done
	rm -r "$dir/.debs"
	echo "${names[*]}" >"$dir/.packages"
}

if [ -n "$unpack_to" ]; then
	unpack "$unpack_to" "$@"
	exit
fi

find_missing() {
	local group name
	missing=()
	for group in "$@"; do
		packages=$(group_packages "$group")
		for name in $packages; do
			any_installed "$name" || missing+=("$name")
		done
	done
}

find_missing "$@"
[ ${#missing[@]} -gt 0 ] || exit 0
if [ $check_only = yes ]; then
	echo "missing packages: ${missing[*]}"
	exit 1
fi

as_root=()
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || {
		echo "deps.sh: packages are missing (${missing[*]}); installing them takes root or sudo" >&2
		exit 1
	}
	as_root=(sudo)
fi

apt_get() {
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 \
		-o Dpkg::Use-Pty=0 "$@"
}

# --no-remove: what a machine already has (say, another flavour of a library) is never taken away.
install_missing() {
	local name names=()
	find_missing "$@" # clang's version is known only with package lists
	for name in "${missing[@]}"; do
		names+=("$(first_available "$name")")
	done
	echo "installing ${names[*]}${as_root[0]:+ (with sudo)}"
	apt_get install -y --no-install-recommends --no-remove "${names[@]}" >/dev/null
}

lists_known() { # do the machine's package lists know everything that is missing?
	local name
	for name in "${missing[@]}"; do
		apt-cache show --no-all-versions "$(first_available "$name")" >/dev/null 2>&1 || return 1
	done
}

# Old package lists name files that are gone: then they are fetched anew.
if ! lists_known || ! install_missing "$@"; then
	echo "fetching the package lists${as_root[0]:+ (with sudo)}"
	apt_get update
	install_missing "$@"
fi
find_missing "$@"
[ ${#missing[@]} -eq 0 ] || {
	echo "deps.sh: could not install ${missing[*]}" >&2
	exit 1
}
