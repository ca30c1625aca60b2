#!/bin/bash
# What haul prints: formats, colours, what a terminal gets and a pipe does not, exit codes, wrong input, a reader
# that goes away, damaged files.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul
need zstd gzip jq script

haul=("$HAUL_BIN/haul" --data-dir "$DATA")
day=$DATA/2026-11-22
mkdir -p "$day/cart" "$day/pay"
{
	printf '%s\n' '2026-11-22T05:40:00.123456Z web-01 cart F {"level":"error","n":5,"deep":{"a":[1,2]}}'
	printf '%s\n' '2026-11-22T05:40:01.000000Z web-01 cart/pod-1 Fe level=warn msg="two words" n=6'
	printf '%s\n' '2026-11-22T05:40:02.000000Z web-01 cart Fx \x1b[31mred\x1b[0m back\\slash'
	printf '%s\r\n' '2026-11-22T05:40:03.000000Z web-01 cart F ends in CR'
	printf '%s\n' '2026-11-22T05:40:04.000000Z web-01 cart F '
	printf '2026-11-22T05:40:05.000000Z web-01 cart F turned \342\200\256around\n'
} >"$day/cart/web-01.log"
echo '2026-11-22T05:40:06.000000Z web-02 pay F {"level":"info"}' >"$day/pay/web-02.log"

on_terminal() { # its output through a terminal
	script -qec "$*" /dev/null </dev/null | tr -d '\r'
}

# Text is the stored line, byte for byte.
"${haul[@]}" grep '' >"$T/found"
cat "$day/cart/web-01.log" "$day/pay/web-02.log" | cmp - "$T/found" || fail 'text'

# JSON: an object a line, the original message, its fields.
"${haul[@]}" grep -o json '' | jq -c . >"$T/json"
expect_equal 'objects' 7 "$(wc -l <"$T/json")"
expect_equal 'columns' '["2026-11-22T05:40:01.000000Z","web-01","cart","pod-1","Fe"]' \
	"$(sed -n 2p "$T/json" | jq -c '[.time, .host, .service, .instance, .flags]')"
expect_equal 'JSON fields' '{"level":"error","n":5,"deep":{"a":[1,2]}}' "$(sed -n 1p "$T/json" | jq -c .fields)"
expect_equal 'a JSON message' '{"level":"error","n":5,"deep":{"a":[1,2]}}' "$(sed -n 1p "$T/json" | jq -r .message)"
expect_equal 'key=value fields' '{"level":"warn","msg":"two words","n":"6"}' "$(sed -n 2p "$T/json" | jq -c .fields)"
expect_equal 'the original message' "$(printf '\033[31mred\033[0m back\\slash')" "$(sed -n 3p "$T/json" | jq -r .message)"
expect_equal 'no fields' null "$(sed -n 3p "$T/json" | jq -c .fields)"
expect_equal 'an empty message' '""' "$(sed -n 5p "$T/json" | jq -c .message)"

# Raw: the messages alone, as they were.
"${haul[@]}" grep -o raw '' >"$T/raw"
expect_equal 'a raw message' 'level=warn msg="two words" n=6' "$(sed -n 2p "$T/raw")"
expect_equal 'a raw message with escapes' "$(printf '\033[31mred\033[0m back\\slash')" "$(sed -n 3p "$T/raw")"
expect_equal 'a raw message with CR' "$(printf 'ends in CR\r')" "$(sed -n 4p "$T/raw")"

# A terminal: colours, marked matches, nothing harmful, whatever the format.
on_terminal "$HAUL_BIN/haul" --data-dir "$DATA" grep red >"$T/terminal"
expect_match 'a marked match' $'\033\\[1;31mred\033\\[0m' "$(cat "$T/terminal")"
for format in text json raw; do
	on_terminal "$HAUL_BIN/haul" --data-dir "$DATA" grep --color never -o "$format" "''" >"$T/terminal"
	LC_ALL=C grep -q $'[\001-\010\013-\037\177]' "$T/terminal" && fail "$format: control characters on a terminal"
	expect_equal "$format: lines" 7 "$(wc -l <"$T/terminal")"
done
on_terminal "$HAUL_BIN/haul" --data-dir "$DATA" grep --color never turned >"$T/terminal"
expect_match 'what would turn the line around' 'turned \\u\{202e\}around' "$(cat "$T/terminal")"
NO_COLOR=1 on_terminal "$HAUL_BIN/haul" --data-dir "$DATA" grep red | grep -q $'\033' && fail 'colour in spite of NO_COLOR'
"${haul[@]}" grep red | grep -q $'\033' && fail 'colour in a pipe'
"${haul[@]}" grep --color always pay | grep -q $'\033\\[1;31mpay' || fail 'no colour when it is wanted'

# Exit codes, and one clear line when the input is wrong.
code_of() {
	local code=0
	"${haul[@]}" "$@" >"$T/out" 2>"$T/messages" || code=$?
	echo "$code"
}
expect_equal 'found' 0 "$(code_of grep red)"
expect_equal 'not found' 1 "$(code_of grep -F 'no such text')"
expect_equal 'wrong usage' 2 "$(code_of grep)"
expect_equal 'a bad expression' 2 "$(code_of grep 'a(b')"
expect_match 'it points at the place' 'at byte 3: a\(b <-- HERE' "$(cat "$T/messages")"
expect_equal 'a bad condition' 2 "$(code_of grep -w 'level~a[' x)"
expect_match 'it points at the place' "level~a\[.*<-- HERE" "$(cat "$T/messages")"
expect_equal 'a bad time' 2 "$(code_of grep --since 2026-11-22T05:6 x)"
expect_match 'it points at the place' '2026-11-22T05:6 <-- HERE' "$(cat "$T/messages")"
expect_equal 'lines of the message' 1 "$(wc -l <"$T/messages")"
expect_equal 'no archive' 2 "$(code_of grep --data-dir "$T/none" x)"
expect_equal 'no archive, rows' 1 "$(code_of ls --data-dir "$T/none")"
# Who has typed something else is told what it may have been; who finds nothing on a terminal, what was looked at.
said() { # said ARG...: what it says, into a pipe
	"${haul[@]}" "$@" 2>&1 | cat || true
}
expect_match 'a command' "unknown command 'grpe' \\(did you mean 'grep'\\?\\)" "$(said grpe x)"
expect_match 'an option' "unknown option --sicne \\(did you mean '--since'\\?\\)" "$(said grep --sicne 1h x)"
expect_match 'a service' "'crat': no service in these days has such a name \\(did you mean 'cart'\\?\\)" "$(said grep -s crat x)"
expect_match 'a host' "'web-011': no host .* \\(did you mean 'web-01'\\?\\)" "$(said count -H web-011)"
expect_match 'a field' "no line has a field 'lvl'; .*\\(did you mean 'level'\\?\\)" "$(said grep -w lvl=error)"
expect_equal 'nothing, into a pipe' '' "$(said grep -s cart 'nothing like this')$(said grep -s cart -s 'x*' nothing)"
on_terminal "$HAUL_BIN/haul" --data-dir "$DATA" grep nosuchthing >"$T/terminal" || true
expect_match 'where nothing was found' 'nothing found in 2026-11-22: 1 day with 2 files' "$(cat "$T/terminal")"

mkdir "$T/empty"
expect_equal 'an empty archive' 1 "$(code_of grep --data-dir "$T/empty" x)"
expect_equal 'an empty archive, rows' 0 "$(code_of ls --data-dir "$T/empty")"
for command in grep trace tail count top patterns ls; do
	expect_equal "$command --help" 0 "$(code_of "$command" --help)"
	expect_match "$command --help" "Usage: haul $command" "$(cat "$T/out")"
done
expect_match 'the version' '^haul [0-9]' "$("$HAUL_BIN/haul" --version)"

# A reader that goes away is no trouble.
perl -e 'printf "2026-11-22T06:00:00.%06dZ web-03 cart F line %d\n", $_, $_ for 1 .. 100000' >"$day/cart/web-03.log"
set +o pipefail
for arguments in 'grep line' 'trace line' 'count --every 1s line' 'patterns'; do
	# shellcheck disable=SC2086
	{ "${haul[@]}" $arguments 2>"$T/messages"; echo $? >"$T/code"; } | head -n 1 >/dev/null
	expect_equal "$arguments | head: exit code" 0 "$(cat "$T/code")"
	expect_equal "$arguments | head: messages" '' "$(cat "$T/messages")"
done
set -o pipefail

# Damage is told with its place; what can be read comes.
zstd -q "$day/cart/web-03.log" -o "$day/cart/web-03.0001.log.zst"
head -c -100 "$day/cart/web-03.0001.log.zst" >"$day/cart/web-04.0001.log.zst"
echo 'no zstd' >"$day/cart/web-05.0001.log.zst"
mkdir "$day/cart/web-06.log"
expect_equal 'damaged: exit code' 2 "$(code_of grep -c line)"
expect_match 'cut short' '2026-11-22/cart/web-04.0001.log.zst: damaged at byte 0: cut short' "$(cat "$T/messages")"
expect_match 'not zstd' '2026-11-22/cart/web-05.0001.log.zst: damaged at byte 0' "$(cat "$T/messages")"
expect_match 'not a file' '2026-11-22/cart/web-06.log: not a regular file' "$(cat "$T/messages")"
[ "$(cat "$T/out")" -gt 200000 ] || fail "what can be read did not come: $(cat "$T/out")"

# Of a damaged member or frame no command gives or counts a line, and all give those of the others: 3 of 4 in each file.
day=$DATA/2026-11-23
mkdir -p "$day/cart"
for n in 1 2 3 4; do
	perl -e 'printf "2026-11-23T06:0$ARGV[0]:00.%06dZ web-07 cart F part $ARGV[0] line %d\n", $_, $_ for 1 .. 9000' "$n" >"$T/part"
	gzip -c "$T/part" >"$T/gz"
	zstd -qc "$T/part" >"$T/zst"
	[ "$n" = 2 ] || cat "$T/part" >>"$T/whole"
	for form in gz zst; do
		[ "$n" = 2 ] && perl -e 'open my $f, "+<", $ARGV[0]; seek $f, (-s $f) - 3, 0; print $f "\0\0"' "$T/$form"
		cat "$T/$form" >>"$day/cart/web-07.0001.log.$form"
	done
done
mv "$day/cart/web-07.0001.log.zst" "$day/cart/web-08.0001.log.zst"
for host in web-07 web-08; do
	ask=(-s cart -H "$host" --since 2026-11-23 --until 2026-11-24)
	expect_equal "$host, grep" 2 "$(code_of grep "${ask[@]}" -F line)"
	cmp -s "$T/whole" "$T/out" || fail "$host: $(wc -l <"$T/out") lines: $(diff "$T/whole" "$T/out" | head -n 4)"
	expect_match "$host, where" "2026-11-23/cart/$host.*: damaged at byte [1-9][0-9]*: " "$(cat "$T/messages")"
	expect_equal "$host, messages" 1 "$(wc -l <"$T/messages")"
	expect_equal "$host, -c" '2 27000' "$(code_of grep "${ask[@]}" -c -F line) $(cat "$T/out")"
	expect_equal "$host, -c in the damaged part" '2 0' "$(code_of grep "${ask[@]}" -c -F 'part 2') $(cat "$T/out")"
	expect_equal "$host, -c -v" '2 27000' "$(code_of grep "${ask[@]}" -c -v nothing) $(cat "$T/out")"
	expect_equal "$host, -C" '2 27000' "$(code_of grep "${ask[@]}" -C 1 -F line) $(wc -l <"$T/out")"
	expect_equal "$host, -A" '2 1 9000,3 1' "$(code_of grep "${ask[@]}" -A 1 'part 1 line 9000$') $(awk '{ print $6, $8 }' "$T/out" | paste -sd,)"
	expect_equal "$host, -l" '0 1' "$(code_of grep "${ask[@]}" -l -F line) $(wc -l <"$T/out")" # not read further
	expect_equal "$host, -l of the damaged part" '2 ' "$(code_of grep "${ask[@]}" -l -F 'part 2') $(cat "$T/out")"
	expect_equal "$host, count" '1 27000' "$(code_of count "${ask[@]}" --by host -o csv line) $(sed -n 's/^web-0[78],//p' "$T/out")"
	expect_equal "$host, top" '1 27000' "$(code_of top "${ask[@]}" host -o csv) $(sed -n 's/^web-0[78],\([0-9]*\),.*/\1/p' "$T/out")"
	expect_equal "$host, patterns" '1 27000' "$(code_of patterns "${ask[@]}" -o csv) $(awk -F, '{ n += $1 } END { print n }' "$T/out")"
done
