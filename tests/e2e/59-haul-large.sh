#!/bin/bash
# A result that does not fit into haul's memory comes out whole and in order, day after day, also with lines that stand
# out of order in their files.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul

perl -e '
	my ($data) = @ARGV;
	for my $day ("2026-11-21", "2026-11-22") {
		for my $host (1 .. 4) {
			mkdir "$data"; mkdir "$data/$day"; mkdir "$data/$day/app";
			open my $f, ">", "$data/$day/app/h$host.log" or die $!;
			my $lines = $day eq "2026-11-21" ? 60000 : 100;
			for my $n (1 .. $lines) {
				my $us = $n * 1000000 + $host;
				$us -= 5000000 if $n % 17 == 0;
				my $s = $us / 1000000;
				printf $f "%sT%02d:%02d:%02d.%06dZ h%d app %s number %d %s\n", $day, $s / 3600, $s / 60 % 60, $s % 60,
					$us % 1000000, $host, $n % 9 ? "F" : "Fr", $n, "x" x 100;
			}
		}
	}' "$DATA"
sorted() {
	local day
	for day in "$DATA"/2026-*; do
		(cd "$day" && cat app/*.log) | sort -s -k1,1
	done
}
"$HAUL_BIN/haul" --data-dir "$DATA" grep -F number >"$T/found"
sorted | cmp - "$T/found" || fail 'all lines'
"$HAUL_BIN/haul" --data-dir "$DATA" grep --no-events 'number [0-9]*[1-8] ' >"$T/found"
sorted | grep 'number [0-9]*[1-8] ' | cmp - "$T/found" || fail 'most lines'
# Nobody reads on: no trouble.
"$HAUL_BIN/haul" --data-dir "$DATA" grep -F number | head -n 1 >"$T/first"
[ -s "$T/first" ] || fail 'the first line'

# The same of a day that is sealed for the most part: one host's file is live still.
need_programs haul-collector
for host in h1 h2 h3; do
	mv "$DATA/2026-11-21/app/$host.log" "$DATA/2026-11-21/app/$host.0001.log"
done
sorted >"$T/all"
start_collector '[retention]' 'hold = yes'
"$HAUL_BIN/haul-collector" reindex -c "$T/collector.conf" 2>"$T/said"
wait_until 60 '[ ! -e "$DATA/.haul/reindex" ]'
stop "$COLLECTOR_PID"
[ -e "$DATA/2026-11-21/app/h3.0001.log.zst" ] || fail "nothing was sealed: $(ls "$DATA/2026-11-21/app")"
haul_grep() {
	"$HAUL_BIN/haul" --data-dir "$DATA" grep "$@" 2>"$T/trouble"
}
haul_grep -F number >"$T/found"
cmp "$T/all" "$T/found" || fail 'all sealed lines'
haul_grep --no-events 'number [0-9]*[1-8] ' >"$T/found"
grep 'number [0-9]*[1-8] ' "$T/all" | cmp - "$T/found" || fail 'most sealed lines'
haul_grep -v 'number [0-9]*[1-8] ' >"$T/found"
grep -v 'number [0-9]*[1-8] ' "$T/all" | cmp - "$T/found" || fail 'the other sealed lines'
haul_grep -m 1000 -F number >"$T/found"
head -n 1000 "$T/all" | cmp - "$T/found" || fail 'the first thousand'
# The first lines come before the last of the day are read: damage there is not seen.
printf 'damage' | dd of="$DATA/2026-11-21/app/h2.0001.log.zst" bs=1 conv=notrunc status=none \
	seek=$(($(stat -c %s "$DATA/2026-11-21/app/h2.0001.log.zst") - 100))
haul_grep -m 1000 -F number >"$T/found" || fail "what is read first: $(cat "$T/trouble")"
head -n 1000 "$T/all" | cmp - "$T/found" || fail 'the first thousand, before damage'
[ ! -s "$T/trouble" ] || fail "read too much: $(cat "$T/trouble")"
haul_grep -F number >"$T/found" && fail 'damage is no trouble'
grep -q 'h2.0001.log.zst: damaged' "$T/trouble" || fail "damage is not told: $(cat "$T/trouble")"
