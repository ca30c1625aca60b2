#!/bin/bash
# A log that is rotated by renaming while it is written, ten times; and a writer that goes on for a while
# in a file that was already renamed.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector

mkdir "$T/log"
start_collector
start_agent web-01 "$(input app "$T/log/app.log $T/log/late.log")"

start_writer "$T/log/app.log" "$T/expected"
writer=$PID
for ((i = 1; i <= 10; i++)); do
	wait_grown 20 100 "$T/expected"
	for ((n = i; n >= 1; n--)); do
		[ ! -e "$T/log/app.log.$((n - 1))" ] || mv "$T/log/app.log.$((n - 1))" "$T/log/app.log.$n"
	done
	mv "$T/log/app.log" "$T/log/app.log.0"
done
stop_writer "$writer"
wait_count 60 "$(wc -l <"$T/expected")" app
compare_files app "$T"/log/app.log*

# An open descriptor outlives the name: what is written through it still counts.
exec 5>>"$T/log/late.log"
seq -f 'old %.0f' 1 100 >&5
wait_count 30 100 late
mv "$T/log/late.log" "$T/log/late.log.1"
seq -f 'new %.0f' 1 100 >"$T/log/late.log"
wait_count 30 200 late
seq -f 'old %.0f' 101 200 >&5
exec 5>&-
wait_count 30 300 late
messages late | grep '^old' >"$T/old"
messages late | grep '^new' >"$T/new"
cmp "$T/old" <(seq -f 'old %.0f' 1 200)
cmp "$T/new" <(seq -f 'new %.0f' 1 100)

stop "$AGENT_PID"
stop "$COLLECTOR_PID"
compare_files app "$T"/log/app.log*
