#!/bin/bash
# The agent's state directory on a disk that is full, then read-only: it keeps shipping, says so, starts anew in that
# state without sending anything twice, and recovers. And a disk with logs that comes back as another device.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector
need_mounts 2M

mkdir "$T/log"
start_collector
start_agent web-01 "state_dir = $T/disk/state" "$(input app "$T/log/*.log")"
n=0
more() { # so many lines arrive
	write_lines "$T/log/app.log" $((n + 1)) $((n + 500))
	write_lines "$T/log/other.log" $((n + 1)) $((n + 500)) other
	n=$((n + 500))
	expect_exactly_once "$T/log/app.log" app
	expect_exactly_once "$T/log/other.log" other
}

again() { # stopped or killed, and started
	if [ "$1" = kill ]; then
		kill9 "$AGENT_PID"
	else
		kill -TERM "$AGENT_PID"
		wait_until 20 "! alive $AGENT_PID"
		wait "$AGENT_PID" || true
		forget "$AGENT_PID"
	fi
	start_agent web-01
}

more
dd if=/dev/zero of="$T/disk/filler" bs=64k status=none 2>/dev/null || true
for way in kill stop; do
	more
	# More than the last page of what it writes has room for.
	for ((i = 0; i < 80; i++)); do
		write_lines "$T/log/new-$way-$i.log" 1 10 "new $i"
	done
	for i in 0 39 79; do
		expect_exactly_once "$T/log/new-$way-$i.log" "new-$way-$i"
	done
	wait_until 30 "grep -q 'No space left' $T/web-01.err"
	again $way
	more
done
said=$(grep -c 'No space left' "$T/web-01.err")
((said <= 12)) || fail "it was said $said times"
rm "$T/disk/filler"
more
again kill
more
note 'full: exact'

stop "$AGENT_PID" # the kernel makes nothing read-only that somebody writes
mount -o remount,ro "$T/disk"
start_agent web-01
for way in kill stop; do
	more
	again $way
	more
done
wait_until 30 "grep -q 'Read-only' $T/web-01.err"
mount -o remount,rw "$T/disk"
more
again stop
more
stop "$AGENT_PID"
note 'read-only: exact'
compare_lines "$T/log/app.log" app
compare_lines "$T/log/other.log" other

# An image on a loop device, and then on another one: the same files, another device number.
if truncate -s 24M "$T/image" && mkfs.ext4 -q -I 256 "$T/image" >/dev/null 2>&1 && mkdir "$T/mnt" &&
	first=$(losetup -f --show "$T/image" 2>/dev/null); then
	mount "$first" "$T/mnt"
	losetup -d "$first" # when it is unmounted
	write_lines "$T/mnt/app.log" 1 1000 'on a disk'
	agent_config web-01 "state_dir = $T/state2" "$(input mnt "$T/mnt/*.log" 'service = mnt')"
	start_agent web-01
	expect_exactly_once "$T/mnt/app.log" mnt
	stop "$AGENT_PID"
	before=$(stat -c %d "$T/mnt")
	umount "$T/mnt"
	truncate -s 1M "$T/small"
	taken=$(losetup -f --show "$T/small")
	second=$(losetup -f --show "$T/image")
	mount "$second" "$T/mnt"
	losetup -d "$taken" "$second"
	[ "$before" != "$(stat -c %d "$T/mnt")" ] || note 'the device number is the same: nothing is shown by this'
	write_lines "$T/mnt/app.log" 1001 1100 'on a disk'
	start_agent web-01
	expect_exactly_once "$T/mnt/app.log" mnt
	stop "$AGENT_PID"
	compare_lines "$T/mnt/app.log" mnt
	umount "$T/mnt"
	note 'another device number: exact'
else
	note 'no loop devices here: another device number is not tried'
fi
stop "$COLLECTOR_PID"
