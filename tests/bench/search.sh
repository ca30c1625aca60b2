#!/bin/bash
# Finding: one id and counts by minute, over plain live files and over sealed ones; beside haul grep, ripgrep and what
# people would write in a shell. Warm cache.
#
#     SEARCH_BYTES  of lines (5 times BENCH_BYTES, of which the generator makes some 4)
. "$(dirname "$0")/lib.sh"
bytes=${SEARCH_BYTES:-$((5 * $(numfmt --from=iec "$BENCH_BYTES")))}

make_lines() { # make_lines [OPTION...]: in $DATA; sets plain, their bytes, and id, of one of them
	local one
	rm -rf "$DATA"
	"$BENCH/gen" --seed 1 --bytes "$bytes" --services 10 --hosts 5 "$@" --tree "$DATA"
	plain=$(find "$DATA" -name '*.log' -print0 | sort -z | xargs -0 cat | wc -c) # and it is in the page cache now
	one=$(find "$DATA" -name '*.log' | sort | awk 'END { print f } NR == 7 { f = $0 }')
	id=$(head -n 1000 "$one" | grep -o '"request_id":"[^"]*' | cut -d'"' -f4 | tail -n 1)
}

seal() { # sets sealed, the MiB it takes
	"$BENCH/archive" seal "$DATA" zstd 1 >"$T/seal"
	sealed=$(($(find "$DATA" -name '*.zst' -printf '%s\n' | paste -sd+) >> 20))
}

make_lines

compare() { # compare NAME COMMAND...
	local name=$1
	shift
	medians timed "$@"
	[ -n "${BEST-}" ] || BEST=${MEDIANS[0]}
	row "$name" "${MEDIANS[@]}" "$(calc "${MEDIANS[0]} / $BEST")"
}

haul() {
	compare "haul $*" "$HAUL_BIN/haul" --data-dir "$DATA" "$@"
}

shell() { # shell COMMAND
	compare "$1" env ID="$id" DATA="$DATA" bash -c "$1"
}

begin() {
	title "$1"
	header command seconds 'CPU seconds' 'peak MiB' 'time against the first'
	BEST=
}

begin "Search: one id in $((plain >> 20)) MiB of plain files"
haul grep -F "$id"
# shellcheck disable=SC2016 # for the shell that runs it
{
	shell 'rg -NIF "$ID" "$DATA"'
	shell 'grep -rhF "$ID" "$DATA"'
	shell 'find "$DATA" -name "*.log" -print0 | xargs -0 -n 8 -P 2 grep -hF "$ID"'
}

begin 'Search: errors a minute in the same files'
haul count -w level=error --every 1m
# shellcheck disable=SC2016
shell 'rg -NI "\"level\":\"error\"" "$DATA" | cut -c1-16 | sort | uniq -c'
haul count --by level --every 1m
# shellcheck disable=SC2016
shell 'rg -NIo "^.{16}|\"level\":\"[a-z]*\"" "$DATA" | paste - - | cut -f1,2 | sort | uniq -c'

seal
begin "Search: one id in the same lines, sealed ($sealed MiB)"
haul grep -F "$id"
haul trace "$id"
# shellcheck disable=SC2016
shell 'rg -zNIF "$ID" "$DATA"'

begin 'Search: counts over the sealed lines'
haul count --by level --every 1m
haul count -w level=error --every 1m
# shellcheck disable=SC2016
shell 'rg -zNI "\"level\":\"error\"" "$DATA" | cut -c1-16 | sort | uniq -c'

begin 'Search: a result of all lines'
haul grep -F request_id
haul top path
haul patterns

make_lines --stay
seal
begin "Search: requests that stay with their service and host, $((plain >> 20)) MiB sealed to $sealed"
haul grep -F "$id"
haul count --by level --every 1m
haul count -w level=error --every 1m
# shellcheck disable=SC2016
shell 'rg -zNIF "$ID" "$DATA"'
