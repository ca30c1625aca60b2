#!/bin/bash
# Boots a directory's systemd as process 1 of namespaces of its own, and runs commands in there.
#
#     tests/install/boot.sh boot ROOT        in the background; ends with the system in there
#     tests/install/boot.sh possible         exit 0 if this machine allows it; says why not
#     tests/install/boot.sh in PID COMMAND   PID: of the process that `boot` became
#
# It has its own processes, mounts, network (a loopback), host name and control group; where that group has controllers,
# limits of units hold. tests/install/fresh-debian.sh uses it.
set -euo pipefail

cgroup2=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
spaces=(--mount --pid --fork --kill-child --cgroup --uts --ipc --net)

possible() {
	[ "$(id -u)" = 0 ] || { echo 'not root' && return 1; }
	[ "$cgroup2" ] || { echo 'no control groups of version 2' && return 1; }
	mkdir "$cgroup2/haul-boot-$$" 2>/dev/null || { echo 'control groups cannot be made' && return 1; }
	rmdir "$cgroup2/haul-boot-$$"
	unshare "${spaces[@]}" mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null ||
		{ echo 'namespaces or mounts in them are not allowed' && return 1; }
}

# The group is left to the system in there, and goes with it.
outside() { # ROOT
	local group=$cgroup2/haul-boot-$$ home child dir
	home=$cgroup2$(sed -n 's/^0:://p' /proc/self/cgroup)
	mkdir "$group"
	echo $$ >"$group/cgroup.procs"
	unshare "${spaces[@]}" "$0" inside "$1" &
	child=$!
	trap 'kill -KILL "$child" 2>/dev/null' TERM INT
	echo $$ >"$home/cgroup.procs"
	while ! wait "$child" 2>/dev/null && kill -0 "$child" 2>/dev/null; do :; done
	# What was killed leaves its groups a moment later.
	for _ in $(seq 50); do
		find "$group" -depth -type d | while read -r dir; do rmdir "$dir" 2>/dev/null || true; done
		[ -d "$group" ] || break
		sleep 0.1
	done
}

node() { # NAME MAJOR MINOR
	mknod -m 666 "dev/$1" c "$2" "$3"
}

inside() { # ROOT
	mount --make-rprivate /
	mount --bind "$1" "$1"
	cd "$1"
	mount -t proc proc proc
	mount -t sysfs sysfs sys
	mount -t cgroup2 cgroup2 sys/fs/cgroup
	mount -t tmpfs -o mode=755 tmpfs dev
	mount -t tmpfs -o mode=755 tmpfs run
	node null 1 3
	node zero 1 5
	node full 1 7
	node random 1 8
	node urandom 1 9
	node tty 5 0
	mkdir dev/pts dev/shm
	mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
	mount -t tmpfs tmpfs dev/shm
	ln -s pts/ptmx dev/ptmx
	ln -s /proc/self/fd dev/fd
	hostname -F etc/hostname
	ip link set lo up
	mkdir -p mnt/outside
	pivot_root . mnt/outside
	umount -l /mnt/outside
	exec env -i container=haul-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		/sbin/init --show-status=no </dev/null >/boot.log 2>&1
}

case ${1-} in
possible) possible ;;
boot) outside "$2" ;;
inside) inside "$2" ;;
in)
	init=$(pgrep -P "$(pgrep -P "$2" -x unshare)")
	shift 2
	exec nsenter -t "$init" -m -u -i -n -p -C -r -w -- env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
		LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
	;;
*)
	sed -n '2,/^set/{s/^# \{0,1\}//p}' "$0" >&2
	exit 2
	;;
esac
