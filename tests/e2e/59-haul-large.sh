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
