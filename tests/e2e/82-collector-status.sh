#!/bin/bash
# What an operator asks at night: haul-collector status knows of each host how far behind it is, by its own account,
# what was lost, who is silent; and a quiet host reports too.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/wire.sh"
need_programs haul-agent haul-collector
need perl

status() { # JSON-PATH as perl: of haul-collector status --json
	"$HAUL_BIN/haul-collector" status --json -c "$T/collector.conf" |
		perl -MJSON::PP -e '
			my $s = decode_json(join "", <STDIN>);
			my %host = map { $_->{host} => $_ } @{$s->{hosts}};
			my $v = eval $ARGV[0]; die $@ if $@; print $v // "null"' "$1"
}

mkdir "$T/log"
start_collector
write_lines "$T/log/app.log" 1 5000
start_agent web-01 "$(input app "$T/log/*.log")"
expect_exactly_once "$T/log/app.log" app

expect_equal 'hosts' 1 "$(status 'scalar keys %host')"
wait_until 20 '[ "$(status '\''$host{"web-01"}{report}{files}'\'')" = 1 ]'
expect_equal 'lines' 5000 "$(status '$host{"web-01"}{lines}')"
expect_equal 'lost' 0 "$(status '$host{"web-01"}{lost_bytes}')"
expect_equal 'the clock is right' 1 "$(status 'abs($host{"web-01"}{report}{clock_offset_seconds}) < 10 ? 1 : 0')"
expect_equal 'a rate' 1 "$(status '$host{"web-01"}{rate_bytes_per_second} > 0 ? 1 : 0')"
expect_equal 'nothing is wrong' 0 "$(status 'scalar @{$s->{problems}}')"
expect_match 'all is well' 'all is well' "$("$HAUL_BIN/haul-collector" status -c "$T/collector.conf")"
wait_until 20 '[ "$(metric "$URL" haul_collector_host_lag_bytes)" = 0 ]'

# Another host, by hand: it lost bytes, is far behind, and its clock is wrong. Reports of a session that is over, and
# such that cannot be read, change nothing.
open_session db-01
header host=db-01 stream="$(stream_id)" to=4096 loss=deleted >"$T/loss"
post_batch "$T/loss" -H "Haul-Report: time_us=$((($(date +%s) - 3600) * 1000000)) lag_bytes=3000000 lag_ms=600000 files=3 failing=2"
expect_equal "the loss ($BODY)" 200 "$CODE"
for bad in 'lag_bytes=5' 'nonsense' 'time_us=1 lag_bytes=x'; do
	http GET '/v1/streams?host=db-01' -H "Haul-Agent: $AGENT_UUID $SESSION haul-agent/e2e" -H "Haul-Report: $bad"
	expect_equal "streams with a report '$bad'" 200 "$CODE"
done
http GET '/v1/streams?host=db-01' -H "Haul-Agent: $AGENT_UUID $((SESSION - 1)) haul-agent/e2e" -H 'Haul-Report: time_us=7'
expect_equal 'lost' 4096 "$(status '$host{"db-01"}{lost_bytes}')"
expect_equal 'lag' 3000000 "$(status '$host{"db-01"}{report}{lag_bytes}')"
expect_equal 'failing' 2 "$(status '$host{"db-01"}{report}{failing_files}')"
problems=$(status 'join "\n", @{$s->{problems}}')
expect_match 'loss' '1 losses of 4.0 KiB were reported' "$problems"
expect_match 'lag' 'db-01 is 2.9 MiB and 10m behind' "$problems"
expect_match 'failing' 'db-01 cannot read 2 of its files' "$problems"
expect_match 'clock' 'the clock of db-01 is (60|59)m behind' "$problems"
! grep -q web-01 <<<"$problems" || fail "web-01 is well: $problems"
"$HAUL_BIN/haul-collector" status -c "$T/collector.conf" | grep -qF '! db-01 is 2.9 MiB and 10m behind' || fail 'the table does not say it'

# What a host lost outlives the collector.
stop "$COLLECTOR_PID"
start_collector
expect_equal 'lost after a restart' 4096 "$(status '$host{"db-01"}{lost_bytes}')"
# web-01's agent has nothing to send; it reports all the same, within a minute.
((TORTURE == 1)) || wait_until 100 '[ "$(status '\''$host{"web-01"}{report} ? 1 : 0'\'')" = 1 ]'
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
