#!/bin/bash
# A host that begins more files a day than max_host_files waits, whole and aloud: nothing of it is lost, other hosts go on,
# and a larger number, by SIGHUP, lets everything in.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector

start_collector 'max_host_files = 3'
for service in s1 s2 s3; do write_lines "$T/logs/$service.log" 1 100; done
start_agent web-01 '[input app]' "path = $T/logs/*.log"
web_01=$AGENT_PID web_01_url=$AGENT_URL
for service in s1 s2 s3; do wait_count 20 100 $service; done

for service in s4 s5; do write_lines "$T/logs/$service.log" 1 100; done
put_off() {
	"$HAUL_BIN/haul-collector" status -c "$T/collector.conf" 2>/dev/null |
		grep -q 'web-01 is put off with 429: the host has begun as many files today as max_host_files allows'
}
wait_until 30 put_off
wait_until 20 '[ "$(metric "$URL" haul_collector_batches_beyond_limits_total)" -gt 0 ]'
wait_until 20 '"$HAUL_BIN/haul-agent" status -c "$T/web-01.conf" | grep -q "NOT TAKING.*429.*max_host_files"'
[ "$(metric "$web_01_url" haul_agent_lost_bytes_total)" = 0 ] || fail 'lines were lost'
[ ! -e "$DATA/today/s4" ] || fail 's4 was taken'

# Another host does not notice.
write_lines "$T/other.log" 1 100
start_agent web-02 '[input app]' "path = $T/other.log" 'service = s9'
wait_count 20 100 s9

alive "$web_01" || fail 'the agent has ended'
collector_config 'max_host_files = 10'
kill -HUP "$COLLECTOR_PID"
for service in s4 s5; do wait_count 60 100 $service; done
for service in s1 s2 s3 s4 s5; do expect_exactly_once "$T/logs/$service.log" $service; done
wait_until 30 '! put_off'
