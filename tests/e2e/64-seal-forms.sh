#!/bin/bash
# Each form of sealed segments against the tools that people have: every one reads the bytes of the file as it was
# when it was live, out of several frames or members; and what stays plain stays as it is.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-collector
need zstd zstdgrep gzip zgrep

day=2026-10-01
# Some MiB, so that there are several blocks; escapes, empty messages, a piece, long lines, in UTF-8.
perl -e 'srand $ARGV[0]; for my $n (1 .. 9000) {
	my $head = sprintf "2026-10-01T%02d:%02d:%02d.%06dZ web-01 app ", $n / 3600, $n / 60 % 60, $n % 60, rand 1e6;
	print $head, $n % 997 == 0 ? "P " . "x" x 70000 : $n % 501 == 0 ? "F " : $n % 89 == 0 ? "Fx a\\x00\\\\b" :
		sprintf("F {\"level\":\"%s\",\"request_id\":\"%08x-%08x\",\"msg\":\"caf\xc3\xa9 %s\"}", (qw(info warn error))[rand 3],
			rand 2**32, rand 2**32, join " ", map { sprintf "%x", rand 2**32 } 1 .. 20), "\n" }' "$SEED" >"$T/live"
errors=$(grep -c '"level":"error"' "$T/live")

sealed_as() { # sealed_as FORM ENDING
	DATA=$T/$1
	mkdir -p "$DATA/$day/app"
	cp "$T/live" "$DATA/$day/app/web-01.0001.log"
	collector_config "seal = $1" '[retention]' 'hold = yes'
	run_collector
	wait_until 60 collector_ready
	wait_until 60 "[ \"\$(metric '$URL' haul_collector_archive_segments)\" = 1 ]"
	file=$DATA/$day/app/web-01.0001.log$2
	[ "$(ls "$DATA/$day/app")" = "${file##*/}" ] || fail "there is $(ls "$DATA/$day/app")"
	stop "$COLLECTOR_PID"
}
same() { # same TOOL COMMAND...: it prints the live file
	local tool=$1
	if ! command -v "${2-$1}" >/dev/null; then
		note "$tool is not here: left out"
		return
	fi
	shift
	"$@" >"$T/out" 2>"$T/said" || fail "$tool: exit $?, $(head -n 3 "$T/said")"
	cmp -s "$T/out" "$T/live" || fail "$tool reads other bytes"
}
finds() { # finds TOOL COMMAND...: it counts the lines
	command -v "$2" >/dev/null || {
		note "$1 is not here: left out"
		return
	}
	expect_equal "lines that $1 counts" "$errors" "$("${@:2}" '"level":"error"' "$file")"
}
export HOME=$T # lnav writes there

sealed_as zstd .zst
(($(zstd -lv "$file" 2>/dev/null | sed -n 's/.*Zstandard Frames: //p' | head -n 1) > 3)) || fail 'only one frame'
same zstdcat zstdcat "$file"
zstd -tq "$file" || fail 'zstd -t'
finds zstdgrep zstdgrep -c
finds 'rg -z' rg -zc
same lnav lnav -n "$file"

sealed_as gzip .gz
same zcat zcat "$file"
gzip -t "$file" || fail 'gzip -t'
finds zgrep zgrep -c
finds 'rg -z' rg -zc
same pigz pigz -dc "$file"
! command -v pigz >/dev/null || pigz -t "$file" || fail 'pigz -t'
same 'Python' python3 -c 'import gzip, shutil, sys; shutil.copyfileobj(gzip.open(sys.argv[1]), sys.stdout.buffer)' "$file"
same lnav lnav -n "$file"

sealed_as none ''
same cat cat "$file"
