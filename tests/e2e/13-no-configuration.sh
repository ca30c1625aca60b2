#!/bin/bash
# No configuration at all: both programs start with sensible defaults and find each other. In namespaces of
# their own, for the defaults are the machine's real paths and ports.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector
need unshare

inside() { # what runs in there: own mounts, own loopback
	local dir
	# The programs lie somewhere below what is about to be covered, perhaps.
	mkdir -p "$T/bin"
	cp "$HAUL_BIN"/haul-* "$T/bin/"
	mkdir -p "$T/empty"
	for dir in /var/log /var/lib; do
		mount -t tmpfs tmpfs "$dir"
	done
	mount -t proc proc /proc # of these processes, which sanitizers look into
	[ ! -d /etc/haul ] || mount --bind "$T/empty" /etc/haul
	perl -e 'use Socket; socket my $s, AF_INET, SOCK_DGRAM, 0 or die;
		my $up = pack "Z16 s x22", "lo", 0x41; # SIOCSIFFLAGS: IFF_UP and IFF_RUNNING
		ioctl $s, 0x8914, $up or die "lo: $!"'
	mkdir -p /var/log/nginx
	seq -f 'line %.0f' 1 100 >/var/log/nginx/access.log
	seq -f 'line %.0f' 1 100 >/var/log/syslog
	"$T/bin/haul-collector" 2>>"$T/collector.err" &
	collector=$!
	"$T/bin/haul-agent" 2>>"$T/agent.err" &
	agent=$!
	trap 'kill $agent $collector; wait' EXIT
	DATA=/var/log/haul
	expect_exactly_once /var/log/nginx/access.log nginx.access
	expect_exactly_once /var/log/syslog syslog
	# It does not follow what it wrote itself.
	expect_equal 'services' 'nginx.access syslog' "$(cd /var/log/haul/today && echo *)"
	curl -fsS http://127.0.0.1:8514/healthz >/dev/null
	curl -fsS http://127.0.0.1:8515/metrics >/dev/null
	"$T/bin/haul-agent" status | grep -q /var/log/nginx/access.log
	trap - EXIT
	kill "$agent"
	wait "$agent"
	kill "$collector"
	wait "$collector"
}

namespaces=(unshare --mount --net --pid --fork --kill-child)
[ "$(id -u)" = 0 ] || namespaces+=(--user --map-root-user)
"${namespaces[@]}" mount -t tmpfs tmpfs /var/log 2>/dev/null || skip 'no namespaces here (unshare)'

export -f inside expect_exactly_once compare_lines messages lines_on_disk shard_files count_on_disk \
	try_until wait_until now_ms fail note expect_equal
export T DATA HAUL_BIN NAME
"${namespaces[@]}" bash -Eeuo pipefail -c inside || fail 'see above'
