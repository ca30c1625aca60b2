#!/bin/bash
# No configuration at all: both programs start with sensible defaults and find each other. In namespaces of
# their own, for the defaults are the machine's real paths and ports.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/journal.sh"
need_programs haul-agent haul-collector
need unshare

start_syslogd() { # Debian's rsyslogd, with the rule that Debian has for this file; or its pid file
	if [ -z "$SYSLOGD" ]; then
		note 'skipped: the real rsyslogd (packaging/deps.sh writers)'
		echo $$ >/run/rsyslogd.pid
		return
	fi
	cat >"$T/rsyslog.conf" <<-'END'
		module(load="imuxsock" SysSock.Use="off")
		input(type="imuxsock" Socket="/run/socket")
		*.*;auth,authpriv.none -/var/log/syslog
	END
	LD_LIBRARY_PATH=$SYSLOGD_LIB "$SYSLOGD" -M "$SYSLOGD_MODULES" -n -f "$T/rsyslog.conf" 2>>"$T/rsyslog.err" &
	syslogd=$!
	wait_until 20 '[ -S /run/socket ] && [ -s /run/rsyslogd.pid ]'
}

inside() { # what runs in there: own mounts, own loopback
	local dir
	# The programs lie somewhere below what is about to be covered, perhaps.
	mkdir -p "$T/bin"
	cp "$HAUL_BIN"/haul-* "$T/bin/"
	mkdir -p "$T/empty"
	for dir in /var/log /var/lib /run; do
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
	syslogd=
	trap 'kill $agent $collector $syslogd; wait' EXIT
	DATA=/var/log/haul
	expect_exactly_once /var/log/nginx/access.log nginx.access
	expect_exactly_once /var/log/syslog syslog
	# It does not follow what it wrote itself.
	expect_equal 'services' 'nginx.access syslog' "$(cd /var/log/haul/today && echo *)"
	curl -fsS http://127.0.0.1:8514/healthz >/dev/null
	curl -fsS http://127.0.0.1:8515/metrics >/dev/null
	"$T/bin/haul-agent" status | grep -q /var/log/nginx/access.log

	# What comes later: containers of each kind, and the journal.
	id=$(printf '%064d' 1)
	mkdir -p "/var/lib/docker/containers/$id" /var/log/pods/prod_cart_uid/web \
		"/var/lib/containers/storage/overlay-containers/$id/userdata"
	echo '{"Name":"/shop","Config":{"Image":"x"}}' >"/var/lib/docker/containers/$id/config.v2.json"
	printf "%s\n" '{"log":"of docker\n","stream":"stdout","time":"2026-11-22T05:40:00Z"}' \
		>"/var/lib/docker/containers/$id/$id-json.log"
	echo '2026-11-22T05:40:00Z stdout F of a pod' >/var/log/pods/prod_cart_uid/web/0.log
	echo '2026-11-22T05:40:00Z stdout F of podman' \
		>"/var/lib/containers/storage/overlay-containers/$id/userdata/ctr.log"
	wait_until 30 'messages shop | grep -cx "of docker"'
	wait_until 30 'messages prod.web | grep -cx "of a pod"'
	wait_until 30 'messages "${id:0:12}" | grep -cx "of podman"'
	if [ -x "$JOURNAL_REMOTE" ] && [ -s /etc/machine-id ]; then
		mkdir -p "/var/log/journal/$(cat /etc/machine-id)"
		kill "$agent" # which looks for a journal once a minute
		wait "$agent"
		entries cron 1 10 | write_journal "/var/log/journal/$(cat /etc/machine-id)/system.journal"
		"$T/bin/haul-agent" check | grep -q '^journal .*Z to .*Z' || fail 'check: the journal'
		"$T/bin/haul-agent" 2>>"$T/agent.err" &
		agent=$!
		wait_count 30 10 cron
		# What a syslog daemon writes to files is not taken from the journal.
		start_syslogd
		"$T/bin/haul-agent" check | grep -q '^# the journal is not followed: rsyslogd .*/var/log/syslog' ||
			fail 'check: a syslog daemon'
		kill -HUP "$agent"
		wait_until 30 'grep -q "the journal is not followed" "$T/agent.err"'
		entries cron 11 20 | write_journal "/var/log/journal/$(cat /etc/machine-id)/system.journal"
		if [ -n "$SYSLOGD" ]; then
			perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Peer => "/run/socket") or die $!;
				send $s, "<78>cron[1]: cron $_", 0 or die $! for 11 .. 20'
		else
			seq -f 'cron[1]: cron %.0f' 11 20 >>/var/log/syslog
		fi
		wait_until 30 '[ "$(messages syslog | grep -c "cron\[1\]: cron")" = 10 ]'
		expect_equal 'from the journal' 10 "$(count_on_disk cron)"
	fi
	trap - EXIT
	[ -z "$syslogd" ] || kill "$syslogd"
	kill "$agent"
	wait "$agent"
	kill "$collector"
	wait "$collector"
}

namespaces=(unshare --mount --net --pid --fork --kill-child)
[ "$(id -u)" = 0 ] || namespaces+=(--user --map-root-user)
"${namespaces[@]}" mount -t tmpfs tmpfs /var/log 2>/dev/null || skip 'no namespaces here (unshare)'

export -f inside expect_exactly_once compare_lines messages lines_on_disk read_shards shard_files count_on_disk \
	try_until wait_until now_ms fail note expect_equal wait_count entries write_journal start_syslogd
for JOURNAL_REMOTE in /usr/lib/systemd/systemd-journal-remote /lib/systemd/systemd-journal-remote ''; do
	[ ! -x "$JOURNAL_REMOTE" ] || break
done
export JOURNAL_REMOTE JOURNAL_CLOCK JOURNAL_BOOT
# The one that is unpacked below build/writers, else the machine's own.
writers=$ROOT/build/writers
SYSLOGD=$(PATH=$writers/usr/sbin:$PATH:/usr/sbin command -v rsyslogd) || SYSLOGD=
SYSLOGD_LIB=$(printf '%s:' "$writers"/usr/lib/*-linux-gnu)
SYSLOGD_MODULES=$(find "$writers/usr/lib" /usr/lib -name lmnet.so -path '*/rsyslog/*' -printf '%h\n' 2>/dev/null | head -n 1) || true
export T DATA HAUL_BIN NAME SYSLOGD SYSLOGD_LIB SYSLOGD_MODULES
"${namespaces[@]}" bash -Eeuo pipefail -c inside || fail 'see above'
