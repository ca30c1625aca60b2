#!/bin/bash
# At a host's very first start files that were written last before all that the collector keeps are skipped, and counted;
# what is added to them is shipped. Not where some service's lines are kept for longer, nor at a later start.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector

mkdir -p "$T/near" "$T/far"
for side in near far; do
	write_lines "$T/$side/$side-old.log" 1 100
	touch -d '40 days ago' "$T/$side/$side-old.log"
	write_lines "$T/$side/$side-new.log" 1 100
	write_lines "$T/$side/$side-added.log" 1 100
	touch -d '20 days ago' "$T/$side/$side-added.log"
done
inputs="$(input near "$T/near/*.log" 'service = {stem}')
$(input far "$T/far/*.log" 'service = {stem}' 'remote = yes')"
expect_new_only() { # what is not too old has come, and nothing else has
	for side in near far; do
		expect_exactly_once "$T/$side/$side-new.log" "$side-new" "$1"
		expect_exactly_once "$T/$side/$side-added.log" "$side-added" "$1"
	done
}

# Both sides say that one file is skipped.
start_collector '[retention]' 'max_age = 30d' '[retention web-*]' 'max_age = 1d'
start_agent web-01 "$inputs"
expect_new_only web-01
wait_until 20 '[ "$(metric "$AGENT_URL" haul_agent_skipped_old_files)" = 2 ]'
expect_equal 'bytes of them' $((2 * $(wc -c <"$T/near/near-old.log"))) "$(metric "$AGENT_URL" haul_agent_skipped_old_bytes)"
expect_equal 'messages' 2 "$(grep -c 'the oldest day that the collector keeps, are skipped: 1 with' "$T/web-01.err")"
"$HAUL_BIN/haul-agent" status -c "$T/web-01.conf" >"$T/status"
grep -q '2 older than the collector keeps' "$T/status" || fail "status: $(cat "$T/status")"
expect_equal 'lines that are too old' 0 $(($(count_on_disk near-old) + $(count_on_disk far-old)))

# They go on where they are; a file that comes later is not judged by its age, nor is one at a restart.
write_lines "$T/near/near-old.log" 101 110
write_lines "$T/far/far-old.log" 101 110
wait_count 30 10 near-old
wait_count 30 10 far-old
expect_equal 'the first that was added' 'line 101' "$(messages near-old | head -n 1)"
stop "$AGENT_PID"
write_lines "$T/near/moved.log" 1 100
touch -d '40 days ago' "$T/near/moved.log"
start_agent web-01
expect_exactly_once "$T/near/moved.log" moved
expect_equal 'lines of what was skipped' 10 "$(count_on_disk near-old)"
stop "$AGENT_PID"

# Lines of some service are kept for longer, after a reload: another host sends all.
collector_config '[retention]' 'max_age = 30d' '[retention audit-*]' 'max_age = 365d'
kill -HUP "$COLLECTOR_PID"
wait_until 20 "grep -q 'configuration is read again' $T/collector.err"
touch -d '40 days ago' "$T/near/near-old.log" "$T/far/far-old.log"
start_agent web-02 "$inputs"
expect_new_only web-02
expect_exactly_once "$T/near/near-old.log" near-old web-02
expect_exactly_once "$T/far/far-old.log" far-old web-02
expect_equal 'files skipped' 0 "$(metric "$AGENT_URL" haul_agent_skipped_old_files)"
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
