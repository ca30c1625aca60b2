#!/bin/bash
# Two agents that claim one host: another machine's is refused, aloud, and harms nothing; a second one of the same
# machine takes over, and the first, still alive with requests under way, adds nothing.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector
need_mounts 1M

mkdir "$T/log"
start_collector
start_proxy
start_agent web-01 "$(input app "$T/log/*.log")"
write_lines "$T/log/app.log" 1 1000
expect_exactly_once "$T/log/app.log" app
first=$AGENT_PID

# A clone: the same configuration, another machine, lines of its own in files of the same names.
mkdir "$T/cloned"
write_lines "$T/cloned/app.log" 1 500 cloned
free_port
sed "s|$T/log|$T/cloned|; s|^state_dir = .*|state_dir = $T/clone.state|; s|^listen = 127.*|listen = 127.0.0.1:$PORT|" \
	"$T/web-01.conf" >"$T/clone.conf"
echo 0123456789abcdef0123456789abcdef >"$T/machine-id"
if [ -e /etc/machine-id ]; then
	ERR_NAME=clone start unshare -m --propagation private bash -c \
		'mount --bind "$1" /etc/machine-id && shift && exec "$@"' - "$T/machine-id" \
		"$HAUL_BIN/haul-agent" -c "$T/clone.conf"
	clone=$PID
	wait_until 30 "grep -q 'web-01' $T/clone.err && grep -qiE 'machine|another' $T/clone.err"
	write_lines "$T/log/app.log" 1001 2000
	expect_exactly_once "$T/log/app.log" app
	kill9 "$clone"
	note "a clone: $(grep -iE 'machine|another' "$T/clone.err" | head -n 1)"
else
	note 'no /etc/machine-id here: a clone is not tried'
fi

# The agent stands still with a request under way, while a new one of the same machine takes over.
sed "s|^state_dir = .*|state_dir = $T/second.state|; s|^listen = 127.*|listen = 127.0.0.1:$PORT|" \
	"$T/web-01.conf" >"$T/second.conf"
n=2000
write_lines "$T/log/app.log" $(($(wc -l <"$T/log/app.log") + 1)) $n
for ((i = 1; i <= 5; i++)); do
	network bad 0 0.3 0.5
	write_lines "$T/log/app.log" $((n + 1)) $((n + 500))
	n=$((n + 500))
	try_until 1 "(( \$(count_on_disk app) > $((n - 500)) ))" || true # some of it has come, or is under way
	kill -STOP "$first"
	write_lines "$T/log/app.log" $((n + 1)) $((n + 500))
	n=$((n + 500))
	rm -rf "$T/second.state"
	ERR_NAME=second start "$HAUL_BIN/haul-agent" -c "$T/second.conf"
	second=$PID
	network pass
	expect_exactly_once "$T/log/app.log" app
	kill9 "$second"
	write_lines "$T/log/app.log" $((n + 1)) $((n + 100))
	n=$((n + 100))
	kill -CONT "$first"
	expect_exactly_once "$T/log/app.log" app
done
note 'one that stood still: exact'
stop "$first"
stop "$COLLECTOR_PID"
compare_lines "$T/log/app.log" app
