#!/bin/bash
# Both daemons as their units run them: another user, no capability but the one that reads logs, no new privileges, and
# no system call that the unit's filter would refuse. And the units themselves, by systemd's own measure.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector
UNITS=$ROOT/packaging/systemd

# --- the units

exposure() { # exposure UNIT LIMIT: in tenths
	sed 's|@BINDIR@|/bin|' "$UNITS/$1.service" >"$T/$1.service"
	systemd-analyze security --offline=yes --no-pager --threshold="$2" "$T/$1.service" >"$T/exposure" 2>"$T/said" ||
		fail "$1: $(tail -n 1 "$T/exposure") $(cat "$T/said")"
	note "$1: $(sed -n 's/.*level for .*: \([0-9.]* [A-Z]*\).*/\1/p' "$T/exposure")"
}
measured=no
if systemd-analyze security --help 2>&1 | grep -q -- --offline; then
	exposure haul-collector 20
	exposure haul-agent 20
	measured=yes
else
	note 'no systemd-analyze security --offline here: the units are not measured'
fi

# allowed UNIT: the system calls that its filter lets through, a line each.
allowed() {
	sed -n 's/^SystemCallFilter=//p' "$UNITS/$1.service" | while read -r words; do
		sign=+
		case $words in '~'*) sign=- words=${words#'~'} ;; esac
		for word in $words; do
			expand "$word" | sed "s/^/$sign/"
		done
	done | perl -ne '
		chomp; my ($sign, $call) = /^([+-])(.*)/ or next;
		$sign eq "+" ? ($in{$call} = 1) : delete $in{$call};
		END { print "$_\n" for sort keys %in }'
}
expand() { # expand WORD: a group, down to its system calls
	local line
	case $1 in
	@*) systemd-analyze syscall-filter "$1" | sed -n 's/^ \{4\}\([@a-z_0-9-]*\)$/\1/p' | while read -r line; do
		expand "$line"
	done ;;
	*) echo "$1" ;;
	esac
}

# used NAME: the system calls in strace's logs NAME.strace.PID, from the program's own exec on.
used() {
	perl -ne '
		push @{$calls{$ARGV}}, $1 if /^([a-z_0-9]+)\(/; @{$calls{$ARGV}} = () if /^execve\(/;
		END { my %all = map { $_ => 1 } map { @$_ } values %calls; print "$_\n" for sort keys %all }' \
		"$T/$1.strace".*
}

within_filter() { # within_filter UNIT NAME
	local beyond
	allowed "$1" >"$T/allowed"
	beyond=$(used "$2" | grep -vxFf "$T/allowed" || true)
	[ -z "$beyond" ] || fail "$1 would not be allowed: $(tr '\n' ' ' <<<"$beyond")"
	note "$1: $(used "$2" | wc -l) system calls, all of them allowed"
}

# --- the pair

root=no
[ "$(id -u)" != 0 ] || root=yes
traced=no
! command -v strace >/dev/null || traced=yes
as() { # as NAME CAPABILITY PROGRAM ARG...: in the background, as the unit would have it; sets PID to the program's
	local name=$1 caps=$2 run=()
	shift 2
	# The sanitizer's search for leaks traces the process itself, which is traced already.
	[ $traced = no ] || run+=(env "ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=0" strace -ff -qq -o "$T/$name.strace")
	[ $root = no ] || run+=(setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs
		"--inh-caps=-all$caps" "--ambient-caps=-all$caps" "--bounding-set=-all$caps")
	ERR_NAME=$name start ${run[@]+"${run[@]}"} "$@"
	STARTED=$PID
	wait_until 30 "pgrep -f -P $STARTED '^$1' || [ \"\$(readlink /proc/$STARTED/exe)\" = $(readlink -f "$1") ]"
	PID=$(pgrep -f -P "$STARTED" "^$1" || echo "$STARTED")
	PIDS+=("$PID")
}
end() { # end PID STARTED
	kill -TERM "$1"
	wait_until 60 "! alive $2"
	forget "$1"
	forget "$2"
}
capabilities() { # of a process, effective
	sed -n 's/^CapEff:[[:space:]]*0*\(.\)/\1/p' "/proc/$1/status"
}

collector_config 'segment_bytes = 1M' \
	"$(printf '[auth]\ntokens_file = %s' "$T/tokens")"
mkdir -m 0750 "$DATA"
mkdir -m 0700 "$T/state"
[ $root = no ] || chown 65534:65534 "$DATA" "$T/state"
chmod 755 "$T"
HAUL=$HAUL_BIN/haul-collector
"$HAUL" -c "$T/collector.conf" init 127.0.0.1 2>>"$T/command.err"
string=$("$HAUL" -c "$T/collector.conf" token add web-01 2>>"$T/command.err")
collector_ready() {
	curl -fsS -m 5 -o /dev/null --cacert "$T/tls/ca.pem" "https://127.0.0.1:$COLLECTOR_PORT/readyz"
}
as collector '' "$HAUL" -c "$T/collector.conf"
COLLECTOR_PID=$PID collector_started=$STARTED
wait_until 60 collector_ready

# Logs that nobody but root may read.
mkdir -m 0700 "$T/secret"
write_lines "$T/secret/app.log" 1 1000
chmod 600 "$T/secret/app.log"
free_port
cat >"$T/agent.conf" <<CONF
[agent]
state_dir = $T/state
listen = 127.0.0.1:$PORT
[input app]
path = $T/secret/*.log
service = app
keep = line
CONF
"$HAUL_BIN/haul-agent" join -c "$T/agent.conf" "$string" 2>"$T/join.err" || fail "join: $(cat "$T/join.err")"
if [ $root = yes ]; then
	expect_equal "the token is the agent's" '65534 600' "$(stat -c '%u %a' "$T"/agent.conf.d/*.token)"
	expect_equal "the key is the collector's" '65534 600' "$(stat -c '%u %a' "$T/tls/key.pem")"
	expect_equal "the authority is root's" '0 600' "$(stat -c '%u %a' "$T/tls/ca.key")"
fi
as agent ,+dac_read_search "$HAUL_BIN/haul-agent" -c "$T/agent.conf"
AGENT_PID=$PID agent_started=$STARTED
cp "$T/secret/app.log" "$T/expected"
expect_exactly_once "$T/expected" app

if [ $root = yes ]; then
	expect_equal "the agent's capabilities" 4 "$(capabilities "$AGENT_PID")"
	expect_equal "the collector's capabilities" 0 "$(capabilities "$COLLECTOR_PID")"
	expect_equal 'new privileges' "NoNewPrivs:	1" "$(grep NoNewPrivs "/proc/$AGENT_PID/status")"
else
	note 'not root: both run as who we are'
fi

# It follows them by inotify, through a rotation, and takes up what SIGHUP brings.
(umask 077 && write_lines "$T/secret/app.log" 1001 2000)
cp "$T/secret/app.log" "$T/expected"
expect_exactly_once "$T/expected" app
mv "$T/secret/app.log" "$T/secret/app.log.1"
(umask 077 && write_lines "$T/secret/app.log" 2001 3000)
cat "$T/secret/app.log" >>"$T/expected"
expect_exactly_once "$T/expected" app
[ "$(metric "http://127.0.0.1:$PORT" haul_agent_polled_directories)" = 0 ] || fail 'inotify is not used'
"$HAUL_BIN/haul-agent" status -c "$T/agent.conf" | grep -q app.log || fail 'no status'
kill -HUP "$AGENT_PID"
kill -HUP "$COLLECTOR_PID"
wait_until 30 "grep -q reloaded $T/agent.err && grep -q 'read again' $T/collector.err"

# A full segment is closed at the stop and sealed after the start: the janitor's calls, too.
write_lines "$T/secret/app.log" 3001 15000 'a line of some length with id=8f14e45f-ceea-467f-a3c4-5d2a: number'
wait_count 60 15000 app
end "$COLLECTOR_PID" "$collector_started"
as collector '' "$HAUL" -c "$T/collector.conf"
COLLECTOR_PID=$PID collector_started=$STARTED
wait_until 60 "ls $DATA/*/app/*.zst"
end "$AGENT_PID" "$agent_started"
end "$COLLECTOR_PID" "$collector_started"

if [ $traced = yes ] && [ $measured = yes ]; then
	within_filter haul-agent agent
	within_filter haul-collector collector
	# MemoryDenyWriteExecute of the collector's unit.
	! grep -hE '^(mmap|mprotect)\(.*PROT_WRITE\|PROT_EXEC' "$T"/collector.strace.* || fail 'the collector makes code'
	! grep -hE '^mprotect\(.*PROT_EXEC' "$T"/collector.strace.* || fail 'the collector makes code'
	# RestrictSUIDSGID cannot look at what openat2 is given, so systemd has it fail with ENOSYS.
	for unit in haul-agent haul-collector; do
		! used "${unit#haul-}" | grep -qx openat2 || ! grep -q '^RestrictSUIDSGID=yes' "$UNITS/$unit.service" ||
			fail "$unit: openat2 would not be there under RestrictSUIDSGID"
	done
	# RestrictAddressFamilies of both.
	families=$(grep -hoE '^socket\(AF_[A-Z0-9]+' "$T"/*.strace.* | sed 's/.*(//' | sort -u)
	for unit in haul-agent haul-collector; do
		for family in $families; do
			grep -q "^RestrictAddressFamilies=.*\<$family\>" "$UNITS/$unit.service" ||
				fail "$unit: a socket of family $family would not be allowed"
		done
	done
else
	note 'no strace or no systemd-analyze here: system calls are not compared'
fi
