#!/bin/bash
# Deleted files are held open while the collector is away, up to max_deleted; what is given up beyond that is said and stands
# in the ledger with its exact range.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector
need sqlite3

mkdir "$T/log"
collector_config
start_agent web-01 'max_deleted = 1M' "$(input app "$T/log/*.log")"
held() { metric "$AGENT_URL" haul_agent_deleted_open_bytes; }
gone() { # gone FILE: made, opened by the agent, deleted
	write_lines "$T/log/$1.log" 1 "$2" "$(printf '%s %0980d' "$1" 0)"
	wait_until 30 "holds $AGENT_PID /$1.log"
	cp "$T/log/$1.log" "$T/$1.expected"
	rm "$T/log/$1.log"
}

gone first 400
gone second 400
wait_until 30 "(( \$(held) == $(cat "$T/first.expected" "$T/second.expected" | wc -c) ))"
! grep -q 'given up' "$T/web-01.err" || fail 'given up below the bound'
# The third is one too many, and the oldest goes.
gone third 400
wait_until 30 "grep -q 'first.log: bytes 0 to $(stat -c %s "$T/first.expected") are given up' $T/web-01.err"
wait_until 30 "(( \$(held) == $(cat "$T/second.expected" "$T/third.expected" | wc -c) ))"
# One that is larger than the bound goes before the older ones.
gone huge 1200
wait_until 30 "! holds $AGENT_PID 'huge.log (deleted)'"
expect_equal 'held' "$(cat "$T/second.expected" "$T/third.expected" | wc -c)" "$(held)"
holds "$AGENT_PID" 'second.log (deleted)' || fail 'the second was given up for the huge one'

start_collector
expect_exactly_once "$T/second.expected" second
expect_exactly_once "$T/third.expected" third
lost() { metric "$AGENT_URL" haul_agent_lost_bytes_total; }
wait_until 60 "(( \$(lost) == $(cat "$T/first.expected" "$T/huge.expected" | wc -c) ))"
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
for name in first huge; do
	wanted="$T/log/$name.log|0|$(stat -c %s "$T/$name.expected")|limit"
	sqlite3 "file:$DATA/.haul/ledger.db?mode=ro" 'SELECT path, from_byte, to_byte, cause FROM loss_list' >"$T/losses"
	grep -Fxq "$wanted" "$T/losses" || fail "the ledger has no $wanted, but: $(cat "$T/losses")"
done
expect_equal 'lines of first' 0 "$(count_on_disk first)"
