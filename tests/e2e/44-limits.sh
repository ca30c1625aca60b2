#!/bin/bash
# The kernel's limits: few descriptors and many files, few watches and many directories, more events than the queue
# holds. All lines arrive, and status says what is limited.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector

start_collector

# 200 files, 64 descriptors. Rotated and deleted too, twice over.
mkdir "$T/many"
agent_config web-01 "$(input many "$T/many/*.log" 'service = many')"
for ((i = 0; i < 200; i++)); do
	write_lines "$T/many/$i.log" 1 20 "many $i"
done
cat "$T"/many/*.log >"$T/expected.many"
ERR_NAME=web-01 start bash -c 'ulimit -n 64; exec "$@"' - "$HAUL_BIN/haul-agent" -c "$T/web-01.conf"
AGENT_PID=$PID
expect_each_in_order "$T/expected.many" many
for ((i = 0; i < 200; i++)); do
	((i % 3)) || mv "$T/many/$i.log" "$T/many/$i.log.1"
	write_lines "$T/many/$i.log" 21 40 "many $i"
done
find "$T/many" -type f -exec cat {} + >"$T/expected.many"
expect_each_in_order "$T/expected.many" many "$T/many/1.log"
(($(find "/proc/$AGENT_PID/fd" -type l | wc -l) <= 64)) || fail 'more descriptors than it may have'
stop "$AGENT_PID"
compare_sorted() { # compare_sorted EXPECTED SERVICE
	messages "$2" | sort | cmp - <(sort "$1")
}
compare_sorted "$T/expected.many" many
note '64 descriptors, 200 files: exact'

# More events than the kernel keeps: the agent is stopped while files are made, written and renamed.
mkdir "$T/busy"
agent_config web-01 "$(input busy "$T/busy/*.log" 'service = busy')"
start_agent web-01
write_lines "$T/busy/first.log" 1 10 first
wait_count 30 10 busy
kill -STOP "$AGENT_PID"
queue=$(cat /proc/sys/fs/inotify/max_queued_events)
((queue <= 100000)) || queue=100000
perl -e '
	my ($dir, $n) = @ARGV;
	open my $f, ">", "$dir/other" or die "other: $!";
	close $f;
	for (1 .. $n / 4 + 100) {
		rename "$dir/other", "$dir/another" or die "another: $!";
		rename "$dir/another", "$dir/other" or die "other: $!";
	}' "$T/busy" "$queue"
for ((i = 0; i < 50; i++)); do
	write_lines "$T/busy/$i.log" 1 10 "busy $i"
done
mv "$T/busy/first.log" "$T/busy/first.log.1"
write_lines "$T/busy/first.log.1" 11 20 first
write_lines "$T/busy/first.log" 21 30 first
kill -CONT "$AGENT_PID"
cat "$T"/busy/*.log* >"$T/expected.busy"
expect_each_in_order "$T/expected.busy" busy "$T/busy/first.log.1"
stop "$AGENT_PID"
compare_sorted "$T/expected.busy" busy
note 'a queue of events that ran over: exact'

# Ten watches for forty directories, in a user namespace of its own that has this limit.
if unshare -Ur bash -c 'echo 10 >/proc/sys/user/max_inotify_watches' 2>/dev/null; then
	mkdir "$T/deep"
	for ((i = 0; i < 40; i++)); do
		mkdir "$T/deep/$i"
		write_lines "$T/deep/$i/app.log" 1 10 "deep $i"
	done
	agent_config web-01 "$(input deep "$T/deep/*/*.log" 'service = deep')"
	ERR_NAME=web-01 start unshare -Ur bash -c 'echo 10 >/proc/sys/user/max_inotify_watches; exec "$@"' - \
		"$HAUL_BIN/haul-agent" -c "$T/web-01.conf"
	AGENT_PID=$PID
	cat "$T"/deep/*/*.log >"$T/expected.deep"
	expect_each_in_order "$T/expected.deep" deep
	for ((i = 0; i < 40; i++)); do
		write_lines "$T/deep/$i/app.log" 11 20 "deep $i"
		((i % 4)) || write_lines "$T/deep/$i/new.log" 1 10 "new $i"
	done
	cat "$T"/deep/*/*.log >"$T/expected.deep"
	WAIT=90 expect_each_in_order "$T/expected.deep" deep "$T/deep/7/app.log"
	grep -i watch "$T/web-01.err" >"$T/said" || fail 'nobody said that watches ran out'
	(($(wc -l <"$T/said") <= 3)) || fail "said too often: $(cat "$T/said")"
	stop "$AGENT_PID"
	compare_sorted "$T/expected.deep" deep
	note 'ten watches, forty directories: exact'
else
	note 'no user namespaces here: few watches are not tried'
fi
stop "$COLLECTOR_PID"
