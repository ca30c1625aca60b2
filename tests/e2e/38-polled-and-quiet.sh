#!/bin/bash
# No inotify at all: directories are polled, and rotation is followed all the same. Thousands of idle files: the agent
# sleeps. And beside a file with a long backlog the quiet ones do not wait for its end.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector

start_collector
if unshare -Ur bash -c 'echo 0 >/proc/sys/user/max_inotify_instances' 2>/dev/null; then
	mkdir "$T/polled"
	agent_config web-01 "$(input polled "$T/polled/*.log" 'service = polled')"
	write_lines "$T/polled/app.log" 1 100
	ERR_NAME=web-01 start unshare -Ur bash -c 'echo 0 >/proc/sys/user/max_inotify_instances; exec "$@"' - \
		"$HAUL_BIN/haul-agent" -c "$T/web-01.conf"
	AGENT_PID=$PID
	wait_count 30 100 polled
	write_lines "$T/polled/app.log" 101 200
	mv "$T/polled/app.log" "$T/polled/app.log.1"
	write_lines "$T/polled/app.log" 201 300
	wait_count 30 300 polled
	cp "$T/polled/app.log" "$T/polled/app.log.2"
	truncate -s 0 "$T/polled/app.log"
	write_lines "$T/polled/app.log" 301 310
	seq -f 'line %.0f' 1 310 >"$T/expected.polled"
	expect_each_in_order "$T/expected.polled" polled
	grep -q 'inotify cannot be used.*polled' "$T/web-01.err" || fail 'it is not said that files are polled'
	stop "$AGENT_PID"
	note 'without inotify: exact'
else
	note 'no user namespaces here: polling is not tried'
fi

# Idle files: between two lines the agent is woken a few times, not by each file.
mkdir "$T/log"
perl -e 'for (1 .. 5000) { open my $f, ">", "$ARGV[0]/idle$_.log" or die $!; print $f "idle $_\n" }' "$T/log"
agent_config web-02 "$(input app "$T/log/*.log" 'service = quiet')" "$(input loud "$T/loud.log" 'service = loud')"
start_agent web-02
wait_count 60 5000 quiet web-02
switches() {
	awk '/voluntary_ctxt_switches/ { n += $2 } END { print n }' "/proc/$AGENT_PID/status"
}
for ((i = 1; i <= 5; i++)); do
	before=$(switches)
	write_lines "$T/log/idle1.log" "$i" "$i" tick
	wait_count 30 $((5000 + i)) quiet web-02
done
(($(switches) - before <= 100)) || fail "woken $(($(switches) - before)) times for one line"
note 'idle files: asleep'

# A backlog of 200 MB and a hundred quiet files: their lines are there before it has been read.
perl -e 'print "loud $_ ", "x" x 180, "\n" for 1 .. 1_000_000' >"$T/loud.part"
mv "$T/loud.part" "$T/loud.log"
wait_until 30 "(( \$(count_on_disk loud web-02) > 0 ))"
for ((i = 1; i <= 100; i++)); do
	write_lines "$T/log/idle$i.log" 1 1 quiet
done
wait_count 60 5105 quiet web-02
loud=$(count_on_disk loud web-02)
((loud < 1000000)) || fail 'the quiet files waited for the loud one'
note "quiet lines were there when $loud of 1000000 loud ones were"
wait_count 120 1000000 loud web-02
stop "$AGENT_PID"
stop "$COLLECTOR_PID"
