#!/bin/bash
# The collector's own state damaged: the ledger deleted, cut, overwritten; the WAL damaged in its middle and cut. It
# starts, says what is affected, sends nothing to the archive twice, and loses nothing that is not damaged.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector
note "seed $SEED"

mkdir "$T/log"
start_collector
start_agent web-01 "$(input app "$T/log/*.log")"
n=0
more() {
	write_lines "$T/log/app.log" $((n + 1)) $((n + 1000))
	n=$((n + 1000))
	expect_exactly_once "$T/log/app.log" app
}
more
write_lines "$T/log/still.log" 1 100
expect_exactly_once "$T/log/still.log" still

# said REGEX: by this start of the collector.
said() {
	SAID=$(sed "1,${told}d" "$T/collector.err" | grep -E "$1") || fail "$damage: not said: $1"
}

set_aside() { # set_aside NAME: in quarantine
	find "$DATA/.haul/quarantine" -name "$1" -size +0 | grep -q . || fail "$damage: $1 is not set aside"
}

for damage in delete cut overwrite delete-all; do
	more
	told=$(wc -l <"$T/collector.err")
	kill9 "$COLLECTOR_PID"
	ledger=$DATA/.haul/ledger.db
	case $damage in
	delete) rm -f "$ledger" "$ledger"-* ;;
	cut) truncate -s $(($(stat -c %s "$ledger") / 2)) "$ledger" ;;
	overwrite) head -c 8192 /dev/urandom | dd of="$ledger" conv=notrunc status=none ;;
	delete-all) rm -f "$DATA"/.haul/ledger* ;;
	esac
	start_collector
	said 'ledger\.db: it '
	case $damage in
	cut | overwrite) set_aside 'ledger.db-*' ;;
	esac
	expect_exactly_once "$T/log/app.log" app
	more
	compare_lines "$T/log/still.log" still
	note "ledger, $damage: exact"
done

# In the middle of the WAL: the lines stand in the archive already, so nothing is lost; later records are taken.
for damage in middle end; do
	more
	more
	told=$(wc -l <"$T/collector.err")
	kill9 "$COLLECTOR_PID"
	wal=$(find "$DATA/.haul/wal" -type f -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d' ' -f2-)
	used=$(perl -e 'local $/; my $f = <>; $f =~ s/\0+\z//; print length $f' "$wal")
	case $damage in
	middle) at=$((used / 2)) ;;
	end) at=$((used - 100)) ;;
	esac
	head -c 64 /dev/urandom | dd of="$wal" bs=1 seek="$at" conv=notrunc status=none
	start_collector
	if [ $damage = middle ]; then
		# With the range, which holds the damage.
		said "${wal##*/}: bytes [0-9]+ to [0-9]+: "
		expect_match 'the range' 'bytes ([0-9]+) to ([0-9]+)' "$SAID"
		((BASH_REMATCH[1] < at + 64 && BASH_REMATCH[2] > at)) || fail "damage at $at, said: $SAID"
		set_aside "wal-*-${BASH_REMATCH[1]}"
	fi
	expect_exactly_once "$T/log/app.log" app
	more
	compare_lines "$T/log/still.log" still
	note "WAL, $damage: exact"
done
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
compare_lines "$T/log/app.log" app
