#!/bin/bash
# One file cannot be read (EIO), from its first byte on and later in its middle: the others go on, it is said once and
# then in sums, status has it, and when it can be read again it goes on where it was.
#
# The agent is that of the release build: a sanitizer has its own ideas of read.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector
agent_bin=${HAUL_RELEASE:-$ROOT/build/release}/haul-agent
[ -x "$agent_bin" ] || skip "$agent_bin is not built"
bad=$ROOT/build/preload/badfile.so
[ -e "$bad" ] || skip "$bad is not built"

mkdir "$T/log"
T_REAL=$(readlink -f "$T")
start_collector
agent_config web-01 "$(input app "$T/log/*.log")"
touch "$T/flag"
write_lines "$T/log/good.log" 1 100 good
write_lines "$T/log/bad.log" 1 100 bad
export HAUL_BAD_FILE=$T_REAL/log/bad.log HAUL_BAD_FLAG=$T/flag
ERR_NAME=web-01 start env LD_PRELOAD="$bad" "$agent_bin" -c "$T/web-01.conf"
agent=$PID

wait_until 30 "grep -q 'bad.log cannot be read: Input/output error' $T/web-01.err"
for ((i = 1; i <= 10; i++)); do
	write_lines "$T/log/good.log" $((i * 100 + 1)) $((i * 100 + 100)) good
	write_lines "$T/log/bad.log" $((i * 100 + 1)) $((i * 100 + 100)) bad
	wait_count 30 $((i * 100 + 100)) good
done
expect_equal 'lines of the bad file' 0 "$(count_on_disk bad)"
expect_equal 'times it was said' 1 "$(grep -c 'bad.log cannot be read' "$T/web-01.err")"
"$agent_bin" status -c "$T/web-01.conf" | grep -q 'bad.log.*[Ii]nput/output error' || fail 'status does not say it'

rm "$T/flag"
write_lines "$T/log/bad.log" 1101 1200 bad
expect_exactly_once "$T/log/bad.log" bad
wait_until 30 "grep -q 'bad.log can be read again' $T/web-01.err"

# In its middle, and rotated meanwhile.
touch "$T/flag"
write_lines "$T/log/bad.log" 1201 1300 bad
wait_until 30 "(( \$(grep -c 'bad.log cannot be read' $T/web-01.err) == 2 ))"
mv "$T/log/bad.log" "$T/log/bad.log.1"
write_lines "$T/log/bad.log" 1301 1400 bad
rm "$T/flag"
write_lines "$T/log/bad.log.1" 1 1 late
cat "$T/log/bad.log.1" "$T/log/bad.log" >"$T/expected.bad"
expect_each_in_order "$T/expected.bad" bad "$T/log/bad.log" "$T/log/bad.log.1"
expect_exactly_once "$T/log/good.log" good
stop "$agent"
stop "$COLLECTOR_PID"
