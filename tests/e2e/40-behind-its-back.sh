#!/bin/bash
# What happens to files while the agent does not look, stopped by SIGSTOP or down: rotated three times,
# copied and truncated and grown past the old offset, rotated and packed and the plain one deleted, deleted
# and made anew under the same inode, renamed with their directory. Each with an input that names rotated
# files and with one that does not.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector

# Each case has a folder of its own, which is its service; what one source holds, in order, stands in
# $T/want/SERVICE/PIECE.
put() { # put FILE PIECE FIRST LAST: appends lines; FILE is CASE/NAME
	local case=${1%%/*}
	mkdir -p "$LOG/$case" "$T/want/$case"
	write_lines "$LOG/$1" "$3" "$4" "$case $PAD line"
	write_lines "$T/want/$case/$2" "$3" "$4" "$case $PAD line"
}
printf -v PAD '%040d' 0

expect_case() {
	cat "$T/want/$1"/* >"$T/expected"
	expect_each_in_order "$T/expected" "$1.app" "$T/want/$1"/*
}

# before CASE-PREFIX: what is read before; behind: what happens behind its back.
before() {
	local case
	for case in rotated copied shorter packed anew moved twins; do
		put "$1-$case/app.log" 1 1 2000
	done
}

behind() {
	local dir p=$1
	# Three times, with lines before each.
	dir=$LOG/$p-rotated
	put "$p-rotated/app.log" 1 2001 2100
	mv "$dir/app.log" "$dir/app.log.1"
	put "$p-rotated/app.log" 2 2101 2200
	mv "$dir/app.log.1" "$dir/app.log.2"
	mv "$dir/app.log" "$dir/app.log.1"
	put "$p-rotated/app.log" 3 2201 2300
	mv "$dir/app.log.2" "$dir/app.log.3"
	mv "$dir/app.log.1" "$dir/app.log.2"
	mv "$dir/app.log" "$dir/app.log.1"
	put "$p-rotated/app.log" 4 2301 2400

	# Copied, truncated, and then longer than it was.
	dir=$LOG/$p-copied
	put "$p-copied/app.log" 1 2001 2100
	cp "$dir/app.log" "$dir/app.log.1"
	truncate -s 0 "$dir/app.log"
	put "$p-copied/app.log" 2 2101 6000

	# Shorter than it was.
	dir=$LOG/$p-shorter
	put "$p-shorter/app.log" 1 2001 2100
	cp "$dir/app.log" "$dir/app.log.1"
	truncate -s 0 "$dir/app.log"
	put "$p-shorter/app.log" 2 2101 2200

	# Only the rest comes, out of the packed one.
	dir=$LOG/$p-packed
	put "$p-packed/app.log" 1 2001 2500
	mv "$dir/app.log" "$dir/app.log.1"
	gzip "$dir/app.log.1"
	put "$p-packed/app.log" 2 2501 2600

	# A file of the same inode, longer than the old one. What was not read of that is lost: nothing here.
	dir=$LOG/$p-anew
	rm "$dir/app.log"
	put "$p-anew/app.log" 2 2001 6000

	# The same first lines as another's, then different ones.
	dir=$LOG/$p-twins
	head -n 1000 "$dir/app.log" >"$dir/app-copy.log"
	write_lines "$dir/app-copy.log" 3001 4000 other
	cp "$dir/app-copy.log" "$T/twin.$p"

	# With its directory, which an input follows under both names.
	put "$p-moved/app.log" 1 2001 2100
	mv "$LOG/$p-moved" "$LOG/$p-gone-elsewhere"
	put "$p-moved/app.log" 2 2101 2200
}

LOG=$T/log
mkdir "$LOG"
start_collector
start_agent web-01 "$(input narrow "$LOG/narrow-*/*.log")" "$(input wide "$LOG/wide-*/*")"
before narrow-stopped
before narrow-down
before wide-stopped
before wide-down
for dir in "$LOG"/*; do
	wait_count 30 2000 "${dir##*/}.app"
done

kill -STOP "$AGENT_PID"
behind narrow-stopped
behind wide-stopped
kill -CONT "$AGENT_PID"
expect_all() { # expect_all HOW
	local glob case
	for glob in narrow wide; do
		for case in rotated copied shorter packed anew moved; do
			expect_case "$glob-$1-$case"
		done
		expect_exactly_once "$T/twin.$glob-$1" "$glob-$1-twins.app-copy"
		expect_case "$glob-$1-twins"
		note "$1, $glob: exact"
	done
}
expect_all stopped

stop "$AGENT_PID"
behind narrow-down
behind wide-down
start_agent web-01
expect_all down

# And a restart adds nothing.
stop "$AGENT_PID"
start_agent web-01
write_lines "$LOG/narrow-down-copied/last.log" 1 10
expect_exactly_once "$LOG/narrow-down-copied/last.log" narrow-down-copied.last
for how in stopped down; do
	expect_all $how
done
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
