#!/bin/bash
# A wrong configuration: FILE:LINE on stderr, exit 78, also for `check`; wrong usage: 2; help and version: 0.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector

# wrong PROGRAM LINE-NUMBER TEXT: the text as a configuration is wrong in that line.
wrong() {
	local program=$1 line=$2 text=$3 code mode
	printf '%s\n' "$text" >"$T/bad.conf"
	for mode in run check; do
		code=0
		if [ $mode = check ]; then
			timeout 20 "$HAUL_BIN/$program" check -c "$T/bad.conf" >"$T/out" 2>"$T/bad.said" || code=$?
		else
			timeout 20 "$HAUL_BIN/$program" -c "$T/bad.conf" >"$T/out" 2>"$T/bad.said" || code=$?
		fi
		expect_equal "$program $mode: exit for '$text' ($(cat "$T/bad.said"))" 78 "$code"
		grep -qF "$T/bad.conf:$line:" "$T/bad.said" ||
			fail "$program $mode: no $T/bad.conf:$line in '$(cat "$T/bad.said")'"
	done
}

for program in haul-agent haul-collector; do
	wrong $program 2 $'[collector]\nno_such_key = 1'
	wrong $program 1 '[no_such_section]'
	wrong $program 1 'key = before any section'
	wrong $program 2 $'[collector]\nno equals sign'
	wrong $program 1 '[collector'
	wrong $program 2 $'[collector]\nlisten = '"$(head -c 5000 /dev/zero | tr '\0' x)"
done
wrong haul-agent 3 $'[agent]\nhost = a\nhost = b'
wrong haul-agent 2 $'[agent]\nmemory_limit = much'
wrong haul-agent 2 $'[agent]\nhost = ../x'
wrong haul-agent 2 $'[collector]\nbatch_delay = 250'
wrong haul-agent 2 $'[collector]\nurl = ftp://somewhere'
wrong haul-agent 2 $'[collector]\nurl = https://'
wrong haul-agent 2 $'[collector]\nurl = https://:8514'
wrong haul-agent 2 $'[collector]\npin = sha256//short='
wrong haul-agent 2 $'[collector]\npin = md5//YhKJG3phE6xw3TXJdrKg0MF2SsYP6D9jvQZBqmKUFQU='
wrong haul-agent 2 $'[agent]\nlisten = 8515'
wrong haul-agent 2 $'[input x]\ntype = nothing'
wrong haul-agent 2 $'[input x]\nkeep = (unclosed'
wrong haul-agent 2 $'[input x]\nmultiline = head:['
wrong haul-agent 2 $'[input x]\ntimezone = Mars/Olympus'
wrong haul-agent 4 $'[input x]\npath = /a\n\n[input x]'
wrong haul-collector 2 $'[collector]\nsegment_bytes = -1'
wrong haul-collector 2 $'[collector]\nseal = rar'
wrong haul-collector 2 $'[collector]\nlisten = nowhere'
wrong haul-collector 2 $'[collector]\nmin_free = 200%'
wrong haul-collector 2 $'[retention]\nmax_age = forever'
wrong haul-collector 3 $'[retention a]\nmax_age = 1d\nmax_age = 2d'

# A second file in NAME.conf.d is named when it is wrong.
mkdir "$T/good.conf.d"
printf '[agent]\nhost = a\n' >"$T/good.conf"
printf '# fine\n[agent]\nnonsense = 1\n' >"$T/good.conf.d/10-x.conf"
code=0
"$HAUL_BIN/haul-agent" check -c "$T/good.conf" >"$T/out" 2>"$T/said" || code=$?
expect_equal 'a bad file in conf.d' 78 "$code"
grep -qF "$T/good.conf.d/10-x.conf:3:" "$T/said" || fail "not named: $(cat "$T/said")"
rm "$T/good.conf.d/10-x.conf"
"$HAUL_BIN/haul-agent" check -c "$T/good.conf" >"$T/out" 2>"$T/said" || fail "a good one: $(cat "$T/said")"

# Files that the configuration names and that are not there, or say nothing, are found by check, not by the first batch.
touch "$T/empty"
for text in "token_file = $T/nothing" "token_file = $T/empty" "ca_file = $T/nothing" "client_cert = $T/good.conf" \
	"client_key = $T/good.conf"; do
	printf '[collector]\n%s\n' "$text" >"$T/files.conf"
	code=0
	"$HAUL_BIN/haul-agent" check --quiet -c "$T/files.conf" >"$T/out" 2>"$T/said" || code=$?
	expect_equal "check of $text ($(cat "$T/said"))" 78 "$code"
	grep -qF "$T/files.conf:2: [collector] $text: " "$T/said" || fail "$text: $(cat "$T/said")"
	[ ! -s "$T/out" ] || fail 'check --quiet is not quiet'
done

# Beyond loopback a collector wants to know who talks to it.
printf '[collector]\nlisten = 0.0.0.0:0\ndata_dir = %s\n' "$DATA" >"$T/open.conf"
code=0
timeout 20 "$HAUL_BIN/haul-collector" -c "$T/open.conf" >"$T/out" 2>"$T/said" || code=$?
expect_equal "listening to the world without [tls] ($(cat "$T/said"))" 78 "$code"

for program in haul-agent haul-collector; do
	"$HAUL_BIN/$program" --help >"$T/out"
	grep -q "$program" "$T/out" || fail "$program --help does not name it"
	expect_match "$program --version" "^$program [0-9]+\.[0-9]+\.[0-9]+" "$("$HAUL_BIN/$program" --version)"
	for args in --no-such-option no-such-command '-c' 'check extra words'; do
		code=0
		# shellcheck disable=SC2086 # words are meant
		timeout 20 "$HAUL_BIN/$program" $args >"$T/out" 2>"$T/said" </dev/null || code=$?
		expect_equal "$program $args" 2 "$code"
		[ -s "$T/said" ] || fail "$program $args: exit 2 without a word"
	done
done
