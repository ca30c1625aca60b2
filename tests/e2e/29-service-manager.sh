#!/bin/bash
# Both daemons tell a service manager when they are ready, reload and stop, that they live, and in a line how it is.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector

# manager NAME: takes datagrams at $T/NAME.socket, a line each into $T/NAME.manager.out, the lines of one parted by " | ".
manager() {
	ERR_NAME=$1.manager start perl -MIO::Socket::UNIX -MSocket -e '
		my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $ARGV[0]) or die "$ARGV[0]: $!";
		$| = 1;
		while (defined recv $s, my $m, 4096, 0) { $m =~ s/\n/ | /g; print "$m\n" }' "$T/$1.socket"
	wait_until 20 "[ -S $T/$1.socket ]"
	export NOTIFY_SOCKET=$T/$1.socket
}
told() { # NAME REGEX
	grep -Eq "$2" "$T/$1.manager.out"
}
in_order() { # NAME REGEX...
	local name=$1 at=0 line
	shift
	for line in "$@"; do
		at=$(awk -v at="$at" -v want="$line" 'NR > at && $0 ~ want { print NR; exit }' "$T/$name.manager.out")
		[ "$at" ] || fail "$name has not told $line, or too early: $(cat "$T/$name.manager.out")"
	done
}

export WATCHDOG_USEC=1000000
manager collector
start_collector
wait_until 20 'told collector ^READY=1'
manager agent
start_agent web-01 "[input app]" "path = $T/app.log" "service = app"
unset NOTIFY_SOCKET WATCHDOG_USEC
write_lines "$T/app.log" 1 10
wait_count 20 10 app
wait_until 20 "told agent '^STATUS=1 files, keeping up; collector $URL\$'"
kill -HUP "$AGENT_PID" "$COLLECTOR_PID"
wait_until 20 'told agent ^RELOADING && told collector ^RELOADING'
for name in agent collector; do
	signs=$(grep -c '^WATCHDOG=1' "$T/$name.manager.out")
	wait_until 20 "[ \$(grep -c '^WATCHDOG=1' $T/$name.manager.out) -gt $((signs + 2)) ]"
done

# What keeps the agent from sending is in its line as soon as it is known, and so is its end.
stop "$COLLECTOR_PID"
told_lines=$(wc -l <"$T/agent.manager.out")
write_lines "$T/app.log" 11 20
wait_until 20 "tail -n +$told_lines $T/agent.manager.out | grep -q '^STATUS=1 files, .*; collector $URL: '"
told_lines=$(wc -l <"$T/agent.manager.out")
start_collector
wait_until 60 "tail -n +$told_lines $T/agent.manager.out | grep -q 'collector $URL\$'"
stop "$AGENT_PID"

in_order agent ^READY=1 ^STATUS= '^RELOADING=1 . MONOTONIC_USEC=[0-9]+$' ^READY=1 ^STOPPING=1
in_order collector '^STATUS=opening ' '^STATUS=listening on ' ^READY=1 ^RELOADING=1 ^READY=1 ^STOPPING=1
