#!/bin/bash
# The agent's registry is deleted, cut, zeroed, filled with rubbish, or a restored old one: the collector's
# word is enough, nothing comes twice and nothing is lost.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector

mkdir "$T/log"
start_collector
start_agent web-01 "$(input app "$T/log/*.log")"
write_lines "$T/log/app.log" 1 1000
write_lines "$T/log/still.log" 1 10
expect_exactly_once "$T/log/app.log" app
expect_exactly_once "$T/log/still.log" still
stop "$AGENT_PID"
cp -a "$T/web-01.state" "$T/old"

n=1000
for damage in delete cut zero rubbish old; do
	write_lines "$T/log/app.log" $((n + 1)) $((n + 200))
	n=$((n + 200))
	for file in "$T"/web-01.state/*; do
		[ -s "$file" ] || continue
		case $damage in
		delete) rm "$file" ;;
		cut) truncate -s "$(($(stat -c %s "$file") / 2))" "$file" ;;
		zero) dd if=/dev/zero of="$file" bs="$(stat -c %s "$file")" count=1 conv=notrunc status=none ;;
		rubbish) head -c 3000 /dev/urandom >"$file" ;;
		esac
	done
	if [ $damage = old ]; then
		rm -rf "$T/web-01.state"
		cp -a "$T/old" "$T/web-01.state"
	fi
	start_agent web-01
	expect_exactly_once "$T/log/app.log" app
	write_lines "$T/log/app.log" $((n + 1)) $((n + 200))
	n=$((n + 200))
	expect_exactly_once "$T/log/app.log" app
	stop "$AGENT_PID"
	compare_lines "$T/log/app.log" app
	compare_lines "$T/log/still.log" still
	note "registry $damage: exact"
done

# Lost when files have been renamed, and copied and truncated: their names and inodes are those of several streams, and
# what has not been read yet may be in a file that no input names.
for lost in deleted damaged; do
	log=$T/$lost
	mkdir "$log"
	write_lines "$log/renamed.log" 1 150 a
	write_lines "$log/copied.log" 1 150 c
	rm -rf "$T/web-01.state"
	start_agent web-01 "$(input app "$log/*.log" "service = $lost")"
	wait_count 30 300 $lost
	mv "$log/renamed.log" "$log/renamed.log.1"
	cp "$log/copied.log" "$log/copied.log.1"
	truncate -s 0 "$log/copied.log"
	write_lines "$log/renamed.log" 1 150 b
	write_lines "$log/copied.log" 1 150 d
	wait_count 30 600 $lost
	stop "$AGENT_PID"
	case $lost in
	deleted) rm "$T"/web-01.state/* ;;
	damaged) head -c 3000 /dev/urandom >"$T/web-01.state/registry" ;;
	esac
	write_lines "$log/renamed.log" 151 160 b
	write_lines "$log/renamed.log.1" 151 160 a
	start_agent web-01
	cat "$log"/renamed.log{.1,} "$log"/copied.log{.1,} >"$T/expected"
	expect_each_in_order "$T/expected" $lost "$log"/renamed.log{.1,} "$log"/copied.log{.1,}
	stop "$AGENT_PID"
	expect_each_in_order "$T/expected" $lost "$log"/renamed.log{.1,} "$log"/copied.log{.1,}
	note "registry $lost after rotations: exact"
done
stop "$COLLECTOR_PID"
