#!/bin/bash
# A systemd journal: services from units, identifiers and containers; messages of several lines, of any bytes, and
# none; priorities; filters; restarts and kills in the middle.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/journal.sh"
need_programs haul-agent haul-collector haul
need_journal_remote

mkdir "$T/journal"
log=$T/journal/system.journal
journal_input="[input journal]
type = journal
path = $T/journal
drop = ^secret
mask = password=(\\S+)"
entries web 1 300 >"$T/first"
entries db 1 300 >>"$T/first"
write_journal "$log" <"$T/first"
start_collector '[retention]' 'max_age = 36500d' # a time below is of 2026
start_agent web-01 "$journal_input"
seq -f 'web %.0f' 1 2000 >"$T/web"
seq -f 'db %.0f' 1 300 >"$T/db"
wait_count 30 300 web
expect_exactly_once "$T/db" db

# Where lines go, and as what.
{
	entry _SYSTEMD_UNIT=session-3.scope SYSLOG_IDENTIFIER=sudo PRIORITY=5 MESSAGE='by an identifier'
	entry _COMM=legacy MESSAGE='by a command'
	entry _SYSTEMD_UNIT=getty@tty1.service PRIORITY=3 MESSAGE='of an instance'
	entry _SYSTEMD_UNIT=docker.service CONTAINER_NAME=shop CONTAINER_ID=0123456789ab PRIORITY=3 MESSAGE='of a container'
	entry _SYSTEMD_UNIT=docker.service CONTAINER_NAME=shop CONTAINER_ID=0123456789ab PRIORITY=6 MESSAGE='of the same'
	entry _SYSTEMD_UNIT=app.service PRIORITY=6 MESSAGE=$'Exception\n\tat main\n\n' _SOURCE_REALTIME_TIMESTAMP=1795327401225242
	entry _SYSTEMD_UNIT=app.service PRIORITY=0 MESSAGE=$'odd \xff\x01 bytes'
	entry _SYSTEMD_UNIT=app.service PRIORITY=7 MESSAGE=
	entry _SYSTEMD_UNIT=app.service CODE=without-message
	entry _SYSTEMD_UNIT=app.service MESSAGE='secret sauce'
	entry _SYSTEMD_UNIT=app.service MESSAGE='user=x password=hunter2 ok'
	entry _SYSTEMD_UNIT=app.service CONTAINER_PARTIAL_MESSAGE=true MESSAGE='first '
	entry _SYSTEMD_UNIT=app.service PRIORITY=3 MESSAGE=between
	entry _SYSTEMD_UNIT=app.service MESSAGE=second
} >"$T/kinds"
write_journal "$log" <"$T/kinds"
wait_count 30 8 app
expect_equal 'by identifier' 'F by an identifier' "$(lines_on_disk sudo | cut -d' ' -f4-)"
expect_equal 'by command' 'F by a command' "$(lines_on_disk legacy | cut -d' ' -f4-)"
expect_equal 'instance' 'web-01 getty/tty1 Fe of an instance' "$(lines_on_disk getty | cut -d' ' -f2-)"
expect_equal 'container' 'shop/0123456789ab Fe of a container
shop/0123456789ab F of the same' "$(lines_on_disk shop | cut -d' ' -f3-)"
expect_equal 'messages' 'F Exception
+ 	at main
+ 
Fex odd \xff\x01 bytes
F 
F user=x password=*** ok
F first second
Fe between' "$(lines_on_disk app | cut -d' ' -f4- )"
lines_on_disk app | grep -c '^2026-11-22T06:03:21.225242Z ' | grep -cx 3 || fail 'the time of the source'
# What is masked leaves no trace but in the journal.
! grep -raqs hunter2 "$DATA" "$T/web-01.state" "$T"/*.err || fail 'what is masked has left the journal'
"$HAUL_BIN/haul" --data-dir "$DATA" verify >"$T/verify" || fail "verify: $(tail -n 3 "$T/verify")"
expect_equal 'metrics' '2 1' "$(metric "$AGENT_URL" haul_agent_dropped_lines_total) $(metric "$AGENT_URL" haul_agent_masked_total)"

# Killed again and again, either side, while entries are written.
for ((n = 301; n <= 2000; n += 100)); do
	entries web $n $((n + 99)) PADDING="$(printf %0500d 0)" | write_journal "$log"
	case $((RANDOM % 4)) in
	0)
		kill9 "$AGENT_PID"
		start_agent web-01
		;;
	1)
		kill9 "$COLLECTOR_PID"
		run_collector
		;;
	2) wait_count 30 "$n" web ;;
	esac
done
expect_exactly_once "$T/web" web

# Without its registry it goes on where the collector says.
stop "$AGENT_PID"
entries db 301 400 | write_journal "$log"
rm -r "$T/web-01.state"
start_agent web-01
seq -f 'db %.0f' 1 400 >"$T/db"
expect_exactly_once "$T/db" db
expect_exactly_once "$T/web" web
expect_equal 'app' 8 "$(count_on_disk app)"

# Another archive gets everything again.
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
rm -r "$DATA"
start_collector
start_agent web-01 "$journal_input" '[collector]' 'failover = yes'
expect_exactly_once "$T/db" db
expect_exactly_once "$T/web" web
wait_count 30 8 app
"$HAUL_BIN/haul-agent" status -c "$T/web-01.conf" >"$T/status"
grep -q "^journal:$T/journal.* web " "$T/status" && grep -q "^journal .*: [0-9]* services$" "$T/status" || fail 'status'
"$HAUL_BIN/haul-agent" check -c "$T/web-01.conf" | grep -q "^journal:$T/journal .*Z to .*Z" || fail 'check'
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
