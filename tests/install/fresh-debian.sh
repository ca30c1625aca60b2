#!/bin/bash
# As a new user would: in a Debian 12 made by debootstrap the packages of build/deb install, their users, directories
# and units are right, the daemons run as their users and a line arrives, an upgrade keeps configuration and state,
# removing keeps everything but the programs, purging keeps the logs; then the same under a systemd that is process 1
# there (boot.sh, booted.sh); then the two commands of README.md, each in a clone of this tree.
#
#     tests/install/fresh-debian.sh [STAGE...]      packages systemd readme; all of them without one
#
# Needs root, debootstrap and a mirror (MIRROR); elsewhere it says "skipped" and is done, and so does the stage systemd
# where namespaces and control groups are not to be had. README's make check takes as long there as here: QUICK=1 leaves
# it out, ONLY=GLOB has it run only some tests. BASE=DIR copies a directory that debootstrap has made before. The daemons run in a network of their own, for
# their default ports may be taken on this machine.
set -euo pipefail
cd "$(dirname "$0")/../.."

mirror=${MIRROR:-http://deb.debian.org/debian}
skip() {
	echo "skipped: $*"
	exit 0
}
[ "$(id -u)" = 0 ] || skip 'a fresh Debian takes root'
command -v debootstrap >/dev/null || skip 'debootstrap is not installed (packaging/deps.sh install)'
if [ "${1-}" != --inside ]; then
	unshare -m true 2>/dev/null || skip 'this root may not make namespaces'
	mirror_host=${mirror#*://}
	(exec 9<>"/dev/tcp/${mirror_host%%[:/]*}/80") 2>/dev/null || skip "no way to $mirror"
	# What is mounted and started in there ends with it.
	exec unshare --mount --pid --fork --kill-child --mount-proc "$0" --inside "$@"
fi
shift
stages=("$@")
[ $# -gt 0 ] || stages=(packages systemd readme)

root=$(mktemp -d "${TMPDIR:-/tmp}/haul-fresh-debian.XXXXXX")
booted=
trap 'power_off; umount -R "$root/proc" "$root/dev" "$root/sys" 2>/dev/null; rm -rf --one-file-system "$root"' EXIT
trap 'exit 130' INT TERM

note() {
	printf '%s  %s\n' "$(date +%H:%M:%S)" "$*"
}
fail() {
	printf 'FAIL: %s\n' "$*" >&2
	exit 1
}
power_off() { # what stage_systemd has booted
	[ "$booted" ] || return 0
	kill "$booted" 2>/dev/null || true
	wait "$booted" || true
	booted=
}
in_chroot() {
	env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"
}
apt() {
	in_chroot apt-get -qq -y -o Dpkg::Use-Pty=0 "$@" >"$root/apt.log" 2>&1 || fail "apt-get $*: $(tail -n 20 "$root/apt.log")"
}

if [ "${BASE-}" ]; then
	note "a copy of $BASE"
	cp -a "$BASE/." "$root"
else
	note 'debootstrap: a minimal Debian 12'
	# iproute2: for the loopback of the daemons' network.
	debootstrap --variant=minbase --include=systemd-sysv,iproute2,ca-certificates bookworm "$root" "$mirror" \
		>"$root.log" 2>&1 || fail "debootstrap: $(tail -n 5 "$root.log")"
	rm -f "$root.log"
fi
chmod 0755 "$root" # mktemp makes it for root alone, and the daemons are not root
cp /etc/resolv.conf "$root/etc/resolv.conf"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
# Nothing is started by a package: there is no init here before stage_systemd.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod +x "$root/usr/sbin/policy-rc.d"

expect_mode() { # PATH MODE USER GROUP
	local found
	found=$(in_chroot stat -c '%a %U %G' "$1") || fail "$1 is not there"
	[ "$found" = "$2 $3 $4" ] || fail "$1: wanted $2 $3 $4, found $found"
}

# A line from a file that only root can read to the collector's disk, by the daemons as their users; with the
# configuration as it was installed, and then over TLS by the commands of README.md. Arguments: how many lines there
# shall be in all, `tls`.
# shellcheck disable=SC2016
line_arrives='
	wanted=$1 collector= agent=
	at_exit() { # whoever fails says why, and leaves nothing behind
		[ $? = 0 ] || cat /tmp/collector.err /tmp/agent.err
		kill $collector $agent 2>/dev/null
	}
	trap at_exit EXIT
	arrived() { # what was written so far, each line once
		haul-collector status >/dev/null 2>&1 || return
		[ "$(cat /var/log/haul/2*/shop/*.log 2>/dev/null | grep -c 5d9d77aa)" -ge "$wanted" ]
	}
	ip link set lo up
	mkdir -p /var/log/shop && echo "{\"level\":\"info\",\"request_id\":\"5d9d77aa\"}" >>/var/log/shop/shop.log
	chmod 0700 /var/log/shop && chmod 0600 /var/log/shop/shop.log
	if [ "${2-}" = tls ]; then
		haul-collector init localhost && haul-collector token add "$(hostname -s)" >/tmp/join || exit 1
	fi
	setpriv --reuid haul --regid haul --init-groups --inh-caps=-all --bounding-set=-all \
		haul-collector >/dev/null 2>/tmp/collector.err & collector=$!
	if [ "${2-}" = tls ]; then
		for i in $(seq 100); do
			haul-collector status >/dev/null 2>&1 && break
			sleep 0.2
		done
		grep -o "haul://.*" /tmp/join | haul-agent join - || exit 1
	fi
	setpriv --reuid haul-agent --regid haul-agent --init-groups --inh-caps=-all,+dac_read_search \
		--ambient-caps=+dac_read_search --bounding-set=-all,+dac_read_search haul-agent >/dev/null 2>/tmp/agent.err & agent=$!
	for i in $(seq 300); do
		arrived && break
		sleep 0.2
	done
	haul-collector status && haul-agent status && haul grep -F 5d9d77aa && haul ls || exit 1
	kill -HUP $collector $agent && haul-collector status >/dev/null || exit 1
	kill $collector $agent && wait $collector && wait $agent'

debs=(build/deb/haul{,-agent,-collector}_*.deb)
take_packages() {
	[ -e "${debs[2]}" ] || fail 'there are no packages in build/deb (make deb)'
	mkdir -p "$root/debs/next"
	cp "${debs[@]}" "$root/debs/"
}

stage_packages() {
	local names deb name out
	names=("${debs[@]##*/}")
	take_packages

	note 'install'
	apt update
	apt install --no-install-recommends "${names[@]/#//debs/}"
	for name in haul haul-agent; do
		in_chroot getent passwd "$name" | grep -q nologin || fail "there is no user $name without a shell"
	done
	expect_mode /etc/haul 755 root root
	expect_mode /var/log/haul 750 haul haul
	expect_mode /var/lib/haul-agent 700 haul-agent haul-agent
	in_chroot systemd-analyze verify --man=no haul-agent.service haul-collector.service >"$root/verify" 2>&1 ||
		fail "systemd-analyze verify: $(cat "$root/verify")"
	! grep haul "$root/verify" || fail 'systemd-analyze verify has findings'
	for name in haul-agent haul-collector; do
		in_chroot systemctl is-enabled "$name" | grep -qx enabled || fail "$name is not enabled"
	done
	for name in haul haul-agent haul-collector; do
		in_chroot "$name" --version | grep -q "^$name [0-9]" || fail "$name --version"
		in_chroot test -s "/usr/share/bash-completion/completions/$name" || fail "no completion of $name"
		in_chroot dpkg -V "$name" || fail "dpkg -V $name"
	done

	note 'a line arrives'
	out=$(in_chroot unshare -n bash -c "$line_arrives" bash 1) || fail "no line arrived: $out"
	grep -q '"request_id":"5d9d77aa"' <<<"$out" || fail "haul grep finds nothing: $out"

	note 'another, over TLS'
	out=$(in_chroot unshare -n bash -c "$line_arrives" bash 2 tls 2>&1) || fail "no line arrived over TLS: $out"
	! grep -rq 'BEGIN.*PRIVATE' "$root/etc/haul/agent.conf.d" || fail 'the agent has a private key of the collector'

	note 'upgrade'
	echo '# mine' >>"$root/etc/haul/agent.conf"
	for deb in "$root"/debs/*.deb; do
		name=$(basename "$deb")
		rm -rf "$root/repack"
		dpkg-deb -R "$deb" "$root/repack"
		sed -i 's/^Version: .*/&+next/' "$root/repack/DEBIAN/control"
		echo '# of the next version' >>"$root/repack/usr/share/doc/${name%%_*}/copyright"
		dpkg-deb --root-owner-group -b "$root/repack" "$root/debs/next/$name" >/dev/null
	done
	apt install --no-install-recommends "${names[@]/#//debs/next/}"
	in_chroot dpkg-query -W -f '${Version}' haul-agent | grep -q next || fail 'nothing was upgraded'
	grep -qx '# mine' "$root/etc/haul/agent.conf" || fail 'the upgrade took the configuration away'
	compgen -G "$root/var/lib/haul-agent/*" >/dev/null || fail 'the upgrade took the registry away'
	out=$(in_chroot unshare -n bash -c "$line_arrives" bash 3) || fail "after the upgrade: $out"
	# Each run wrote the line once more; the registry and the ledger know those before.
	[ "$(grep -rh 5d9d77aa "$root"/var/log/haul/2*/shop | wc -l)" = 3 ] || fail 'after the upgrade lines stand twice or are missing'

	note 'remove'
	apt remove haul haul-agent haul-collector
	[ ! -e "$root/usr/bin/haul-agent" ] || fail 'haul-agent is still there'
	grep -qx '# mine' "$root/etc/haul/agent.conf" || fail 'removing took the configuration away'
	compgen -G "$root/var/lib/haul-agent/*" >/dev/null || fail 'removing took the registry away'
	grep -rqs 5d9d77aa "$root/var/log/haul" || fail 'removing took the logs away'

	note 'purge'
	apt purge haul haul-agent haul-collector
	[ ! -e "$root/etc/haul" ] || fail "purging left $(find "$root/etc/haul")"
	[ ! -e "$root/var/lib/haul-agent" ] || fail 'purging left the registry'
	grep -rqs 5d9d77aa "$root/var/log/haul" || fail 'purging took the logs away'
	grep -q 'logs in /var/log/haul are kept' "$root/apt.log" || fail 'purging does not say that the logs are kept'
}

boot() {
	tests/install/boot.sh boot "$root" &
	booted=$!
	for _ in $(seq 600); do
		case $(tests/install/boot.sh in "$booted" systemctl is-system-running 2>/dev/null) in
		running | degraded) return ;;
		esac
		kill -0 "$booted" 2>/dev/null || break
		sleep 0.1
	done
	fail "it does not boot: $(tail -n 20 "$root/boot.log")"
}
in_booted() { # STAGE of booted.sh
	note "systemd: $1"
	tests/install/boot.sh in "$booted" /debs/booted.sh "$1"
}

# The units under a real systemd.
stage_systemd() {
	local why
	why=$(tests/install/boot.sh possible) || {
		note "skipped: systemd as process 1: $why"
		return
	}
	note 'systemd as process 1'
	take_packages
	cp README.md tests/install/booted.sh "$root/debs/"
	rm -rf "$root/var/log/haul" "$root/var/log/shop" "$root/usr/sbin/policy-rc.d"
	echo web-01 >"$root/etc/hostname"
	apt update
	apt install --download-only --no-install-recommends "${debs[@]/#build\/deb//debs}"
	boot
	in_booted install
	in_booted tls
	in_booted rough
	tests/install/boot.sh in "$booted" systemctl poweroff 2>/dev/null || true # it may go while it answers
	wait "$booted" || true
	boot
	in_booted again
	in_booted purge
	power_off
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod +x "$root/usr/sbin/policy-rc.d"
}

# The two commands that README.md tells newcomers to type, to the letter.
stage_readme() {
	local target command
	for target in demo check; do
		[ "$target" = demo ] || [ -z "${QUICK-}" ] || continue
		command=$(sed -n "s/^[[:space:]]*\(apt-get .*make $target\)[[:space:]]*\$/\1/p" README.md | head -n 1)
		[ "$command" ] || fail "README.md has no line that ends in make $target"
		note "$command"
		rm -rf "$root/root/haul"
		mkdir -p "$root/root/haul"
		tar -c --exclude=./build --exclude=./demo --exclude=./.git . | tar -x -C "$root/root/haul"
		in_chroot ${ONLY+env "ONLY=$ONLY"} bash -c "cd /root/haul && $command" </dev/null >"$root/out" 2>&1 || fail "$command: $(tail -n 40 "$root/out")"
		tail -n 3 "$root/out"
	done
}

for stage in "${stages[@]}"; do
	case $stage in
	packages | systemd | readme) "stage_$stage" ;;
	*) fail "there is no stage $stage (packages, systemd, readme)" ;;
	esac
done
note 'all of it works'
