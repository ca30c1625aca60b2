#!/bin/bash
# A journal that more services write to than have streams of their own: what the further ones write goes to one service,
# in the order in which it was written, exactly once also when the agent is killed; and that is said.
. "$(dirname "$0")/../lib/e2e.sh"
away_from_midnight
. "$(dirname "$0")/../lib/journal.sh"
need_programs haul-agent haul-collector
need_journal_remote

mkdir "$T/journal"
services=1100 most=1000
round() { # round NUMBER: an entry of each service
	perl -e '
		my ($round, $services, $clock, $boot) = @ARGV;
		for my $n (1 .. $services) {
			$clock += 1000;
			printf "__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%s\n_SYSTEMD_UNIT=unit%04d.service\n" .
				"PRIORITY=6\nMESSAGE=unit%04d round %d\n\n", $clock, $clock - 1600000000000000, $boot, $n, $n, $round;
		}' "$1" "$services" "$JOURNAL_CLOCK" "$JOURNAL_BOOT" | write_journal "$T/journal/system.journal"
	JOURNAL_CLOCK=$((JOURNAL_CLOCK + services * 1000))
}
written() { # written ROUNDS FIRST LAST: by the services with these numbers
	perl -e 'my ($rounds, $first, $last) = @ARGV;
		for my $r (1 .. $rounds) { printf "unit%04d round %d\n", $_, $r for $first .. $last }' "$@"
}
all_services() {
	find "$DATA/today" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort
}

start_collector
round 1
start_agent web-01 "[input journal]
type = journal
path = $T/journal"
for n in 2 3 4; do
	round $n
	kill9 "$AGENT_PID"
	start_agent web-01
done
written 4 $((most + 1)) $services >"$T/further"
expect_exactly_once "$T/further" journal
messages journal | cmp - "$T/further" || fail 'they are not in their order'
wait_until 60 "[ \$(cat '$DATA'/today/unit*/web-01.log | wc -l) -ge $((4 * most)) ]"
cat "$DATA"/today/unit*/web-01.log | cut -d' ' -f5- | sort | cmp - <(written 4 1 $most | sort) || fail 'the first ones'
expect_equal 'services' $((most + 1)) "$(all_services | wc -l)"
grep -q "more than $most services write to it: what further ones write goes to service journal" "$T/web-01.err" ||
	fail 'it is not said'
expect_equal 'losses' 0 "$(metric "$AGENT_URL" haul_agent_losses_total)"
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
