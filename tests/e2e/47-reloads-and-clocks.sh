#!/bin/bash
# A hundred SIGHUPs to both under load; and times that cannot be right: 1970, 2099, an hour back, a leap second.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector

mkdir "$T/log"
start_collector
start_agent web-01 "$(input app "$T/log/*.log")"

start_writer "$T/log/app.log" "$T/expected"
writer=$PID
wait_count 30 50 app
for ((i = 1; i <= 100; i++)); do
	kill -HUP "$AGENT_PID" "$COLLECTOR_PID"
	if ((i % 10 == 0)); then
		mv "$T/log/app.log" "$T/log/app.log.$i"
		wait_grown 20 1 "$T/expected"
	fi
done
wait_more 30 50 app
stop_writer "$writer"
expect_each_in_order "$T/expected" app "$T"/log/app.log*
alive "$AGENT_PID" && alive "$COLLECTOR_PID"
note '100 reloads under load: exact'

now=$(date -u +%s)
stamp() { # stamp SECONDS: RFC 3339
	date -u -d "@$1" +%Y-%m-%dT%H:%M:%SZ
}
{
	echo "$(stamp $((now - 60))) one"
	echo "$(stamp $((now - 3660))) two, an hour back"
	echo "$(stamp "$now") three"
	echo '1970-01-01T00:00:00Z four'
	echo '2099-12-31T23:59:59Z five'
	echo "$(date -u -d "@$((now - 86400))" +%Y-%m-%dT%H:%M):60Z six, a leap second"
	echo "$(stamp "$now") seven"
} >"$T/log/clock.log"
wait_count 30 7 clock
sort "$T/log/clock.log" | cmp - <(messages clock | sort)

time_of() { # the time and the flags of a line
	lines_on_disk clock | awk -v word="$1" '$6 ~ "^" word { print $1, $4 }'
}
expect_equal 'an hour back' "$(date -u -d "@$((now - 3660))" +%Y-%m-%dT%H:%M:%S).000000Z F" "$(time_of two)"
expect_equal 'the time after it' "$(date -u -d "@$now" +%Y-%m-%dT%H:%M:%S).000000Z F" "$(time_of three)"
expect_match 'a leap second' "^$(date -u -d "@$((now - 86400))" +%Y-%m-%dT%H:%M):59.999999Z F$" "$(time_of six)"
for word in four five; do # the time of receipt
	expect_match "$word" "^2.*Z Fr$" "$(time_of $word)"
	seen=$(date -u -d "$(time_of $word | cut -d' ' -f1)" +%s)
	((seen >= now - 5 && seen <= now + 120)) || fail "$word got the time $(time_of $word)"
done
note 'times that cannot be right: exact'
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
expect_each_in_order "$T/expected" app
