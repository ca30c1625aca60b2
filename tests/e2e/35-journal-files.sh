#!/bin/bash
# What happens to the files of a journal: rotation, vacuum of what was read and of what was not, a reboot, a journal that
# begins anew, one with a damaged file, one that is cut short under the reader.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/journal.sh"
need_programs haul-agent haul-collector
need_journal_remote

mkdir "$T/journal"
log=$T/journal/system.journal
put() { # put FIRST LAST: entries of web
	entries web "$1" "$2" >"$T/export"
	write_journal "$log" <"$T/export"
}
rotate() { # as journald does; what begins then has the next numbers of the same series
	mv "$log" "$T/journal/system@$1.journal"
}
expect_web() { # expect_web FIRST LAST...: pairs
	: >"$T/web"
	while [ $# -gt 0 ]; do
		seq -f 'web %.0f' "$1" "$2" >>"$T/web"
		shift 2
	done
	expect_exactly_once "$T/web" web
}
losses() {
	"$HAUL_BIN/haul" --data-dir "$DATA" verify -o json 2>/dev/null || true
}

put 1 100
start_collector
start_agent web-01 "[input journal]
type = journal
path = $T/journal"
expect_web 1 100

# Rotated, and rotated again before anybody looks.
kill -STOP "$AGENT_PID"
rotate 1
put 101 200
rotate 2
put 201 300
kill -CONT "$AGENT_PID"
expect_web 1 300

# Another boot, whose monotonic clock begins again.
stop "$AGENT_PID"
JOURNAL_BOOT=$(printf '%032x' 12)
rotate 3
put 301 400
start_agent web-01
expect_web 1 400

# What was read may be vacuumed, also while the agent is down.
rm "$T/journal/system@1.journal"
stop "$AGENT_PID"
rm "$T/journal/system@2.journal" "$T/journal/system@3.journal"
put 401 500
start_agent web-01
expect_web 1 500

# Vacuumed when the agent has read it and could not send it: nothing is lost.
stop "$COLLECTOR_PID"
put 501 600
wait_until 30 "[ \"\$(metric $AGENT_URL haul_agent_lag_bytes)\" = 100 ]"
rotate 4
rm "$T/journal/system@4.journal"
put 601 700
start_collector
expect_web 1 700

# Damaged in its middle: what can be read is there.
stop "$AGENT_PID"
rotate 5
put 701 800
cp "$log" "$T/whole"
perl -e '
	open my $f, "+<", $ARGV[0] or die; local $/; my $all = <$f>;
	my $at = index $all, "MESSAGE=web 750"; $at > 0 or die;
	seek $f, $at - 64, 0; print $f "\xff" x 4096' "$log"
rotate 6
put 801 900
start_agent web-01
wait_until 30 'messages web | grep -cx "web 900"'
[ -z "$(messages web | sort | uniq -d)" ] || fail 'something came twice'
messages web | grep -cx 'web 701' || fail 'what stands before the damage'

# Cut short while it is open: the agent lives and goes on.
put 901 1000
wait_until 30 'messages web | grep -cx "web 1000"'
truncate -s 4096 "$log"
rotate 7
put 1001 1100
wait_until 60 'messages web | grep -cx "web 1100"'
[ -z "$(messages web | sort | uniq -d)" ] || fail 'something came twice'
alive "$AGENT_PID" || fail 'the agent has ended'
stop "$AGENT_PID"

# From the end: what was there already is passed over, also when the agent ends before anything new comes; then another
# input takes the journal over, and goes on.
mkdir "$T/other"
log=$T/other/system.journal
put 1 50
journal_input="[input journal]
type = journal
path = $T/other
from = end
service = {unit}-late"
start_agent web-02 "$journal_input"
wait_until 30 "curl -fsS '$AGENT_URL/status' | grep -q '\"service\":\"journal\"'"
wait_until 30 "[ \"\$(metric $AGENT_URL haul_agent_lag_bytes)\" = 0 ]"
stop "$AGENT_PID"
put 51 60
start_agent web-02
wait_count 30 10 web-late
put 61 70
wait_count 30 20 web-late
agent_config web-02 "${journal_input/input journal/input renamed}"
kill -HUP "$AGENT_PID"
wait_until 30 'grep -q "configuration reloaded" "$T/web-02.err"'
put 71 80
wait_count 30 30 web-late
seq -f 'web %.0f' 51 80 | cmp - <(messages web-late) || fail 'from the end'
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
