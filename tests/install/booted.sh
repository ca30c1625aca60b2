#!/bin/bash
# Runs in a Debian whose process 1 is systemd (tests/install/boot.sh): the packages in /debs as systemd runs them. Each
# stage is a call of its own, for one of them reboots.
#
#     booted.sh install | tls | rough | again | purge
#
# README: where README.md stands; its commands are typed to the letter.
set -euo pipefail
readme=${README:-/debs/README.md}

fail() {
	printf 'FAIL: %s\n' "$*" >&2
	systemctl --no-pager --full status haul-agent haul-collector >&2 || true
	journalctl --no-pager -n 60 >&2
	haul-agent status >&2 || true
	haul-collector status >&2 || true
	exit 1
}
wait_until() { # SECONDS COMMAND
	local until=$((SECONDS + $1))
	until eval "$2"; do
		((SECONDS < until)) || fail "waited $1 s in vain for: $2"
		sleep 0.1
	done
}
property() { # UNIT NAME
	systemctl show -p "$2" --value "$1"
}
expect() { # UNIT NAME VALUE
	local found
	found=$(property "$1" "$2")
	[ "$found" = "$3" ] || fail "$1: $2 is $found, not $3"
}
came_back() { # UNIT TIMES
	wait_until 60 "[ \"\$(property $1 NRestarts) \$(property $1 SubState)\" = '$2 running' ]"
}
arrived() { # TEXT...: each once, by the reader
	local text
	for text in "$@"; do
		[ "$(haul grep -F -c -H web-01 -s shop -s boottest "<$text>" 2>/dev/null)" = 1 ] || return
	done
}
written() { # TEXT: by somebody whose log only root may read
	(umask 077 && mkdir -p /var/log/shop && printf '{"level":"info","note":"<%s>"}\n' "$1" >>/var/log/shop/shop.log)
}
logged() { # TEXT: to the journal
	logger -t boottest "<$1>"
}
status_of() { # FIELD UNIT: of /proc/PID/status
	sed -n "s/^$1:[[:space:]]*//p" "/proc/$(property "$2" MainPID)/status"
}
readme_line() { # BEGINNING: without its remark
	grep -m 1 "^    $1" "$readme" | sed 's/^ *//; s/ *#.*//'
}
typed() { # BEGINNING of a line of README.md
	local line
	line=$(readme_line "$1") || fail "README.md has no line $1"
	bash -ec "$line" || fail "$line"
}
no_complaints() { # since a time: nothing is refused by sandbox, filter or permissions
	! journalctl --no-pager -u haul-agent -u haul-collector --since "$1" |
		grep -E 'Operation not permitted|Permission denied|Function not implemented|Read-only file system' ||
		fail 'something is not allowed that the daemons do'
}

# As the packages leave it: nothing was typed yet.
stage_install() {
	local unit start
	start=$(date '+%F %T')
	written before-the-install
	logged journal-before-the-install
	apt-get -qq -y --no-install-recommends install /debs/haul*.deb >/apt.log 2>&1 || fail "$(tail -n 20 /apt.log)"
	for unit in haul-collector haul-agent; do
		wait_until 60 "[ \"\$(property $unit SubState)\" = running ]"
		expect "$unit" Type notify
		expect "$unit" NRestarts 0
		[ "$(status_of NoNewPrivs "$unit")" = 1 ] || fail "$unit may gain privileges"
		[ "$(status_of Seccomp "$unit")" = 2 ] || fail "$unit has no filter of system calls"
	done
	[ "$(status_of CapEff haul-collector)" = 0000000000000000 ] || fail 'the collector has capabilities'
	[ "$(status_of CapEff haul-agent)" = 0000000000000004 ] || fail 'the agent has not CAP_DAC_READ_SEARCH alone'
	[ "$(property haul-collector StatusText)" ] || fail 'the collector has no status line'
	[ "$(property haul-agent StatusText)" ] || fail 'the agent has no status line'
	if [ "$(property haul-agent ControlGroup)" ] && [ -e "/sys/fs/cgroup$(property haul-agent ControlGroup)/memory.max" ]; then
		[ "$(cat "/sys/fs/cgroup$(property haul-agent ControlGroup)/memory.max")" = $((256 << 20)) ] || fail 'MemoryMax of the agent'
	else
		echo 'no memory controller here: MemoryMax is not looked at'
	fi
	wait_until 60 'arrived before-the-install journal-before-the-install'
	written by-inotify
	mv /var/log/shop/shop.log /var/log/shop/shop.log.1
	written after-a-rotation
	logged journal-live
	wait_until 60 'arrived by-inotify after-a-rotation journal-live'
	wait_until 60 'haul grep "status installed haul-agent" -s dpkg >/dev/null'
	[ "$(journalctl --no-pager -u haul-agent | grep -c 'left alone')" -le 1 ] || fail 'the archive is entered by the agent'
	no_complaints "$start"
}

# README's way to a pair with TLS.
stage_tls() {
	local start pid join
	start=$(date '+%F %T')
	grep -qs logs.example.org /etc/hosts || echo '127.0.0.1 logs.example.org' >>/etc/hosts
	typed 'haul-collector init'
	join=$(typed 'haul-collector token add')
	typed 'systemctl restart haul-collector'
	pid=$(property haul-agent MainPID)
	haul-agent join "$join" || fail 'haul-agent join'
	typed 'systemctl reload-or-restart haul-agent'
	expect haul-agent MainPID "$pid"
	written over-tls
	logged journal-over-tls
	wait_until 60 'arrived over-tls journal-over-tls'
	haul-agent status | grep -q '^collector  https://logs.example.org:8514: takes batches' || fail 'not over TLS'
	# Another reload of each: the same processes, and lines go on.
	pid="$(property haul-agent MainPID) $(property haul-collector MainPID)"
	systemctl reload haul-agent haul-collector || fail 'reload'
	written after-a-reload
	wait_until 60 'arrived after-a-reload'
	[ "$pid" = "$(property haul-agent MainPID) $(property haul-collector MainPID)" ] || fail 'a reload restarts'
	no_complaints "$start"
}

# Wrong configuration, kills, hangs, stops.
stage_rough() {
	local unit pid started
	for unit in haul-agent haul-collector; do
		pid=$(property "$unit" MainPID)
		echo 'nonsense = yes' >"/etc/haul/${unit#haul-}.conf.d/wrong.conf"
		! systemctl reload "$unit" 2>/dev/null || fail "$unit: reload takes a wrong configuration"
		expect "$unit" ActiveState active
		expect "$unit" MainPID "$pid"
		! systemctl restart "$unit" 2>/dev/null || fail "$unit: starts with a wrong configuration"
		expect "$unit" ActiveState failed # and not "activating (auto-restart)"
		expect "$unit" ExecMainStatus 78
		expect "$unit" NRestarts 0
		rm "/etc/haul/${unit#haul-}.conf.d/wrong.conf"
		mkdir -p "/run/systemd/system/$unit.service.d"
		printf '[Service]\nWatchdogSec=4s\n' >"/run/systemd/system/$unit.service.d/watchdog.conf"
	done
	systemctl daemon-reload
	systemctl start haul-agent haul-collector
	written after-wrong-configurations
	wait_until 60 'arrived after-wrong-configurations'
	for unit in haul-agent haul-collector; do
		kill -KILL "$(property "$unit" MainPID)"
		came_back "$unit" 1
	done
	written after-kills
	wait_until 60 'arrived after-kills'
	for unit in haul-agent haul-collector; do
		kill -STOP "$(property "$unit" MainPID)"
		came_back "$unit" 2
		journalctl --no-pager -u "$unit" | grep -q "Watchdog timeout" || fail "$unit: restarted, but not by the watchdog"
	done
	written after-hangs
	wait_until 60 'arrived after-hangs'
	# Longer than the watchdog's time: who is well is left alone.
	started=$SECONDS
	wait_until 30 "((SECONDS > started + 6))"
	for unit in haul-agent haul-collector; do
		expect "$unit" NRestarts 2
		started=$SECONDS
		systemctl stop "$unit"
		((SECONDS - started <= 12)) || fail "$unit took $((SECONDS - started)) s to stop"
		expect "$unit" Result success
		expect "$unit" ExecMainStatus 0
	done
	written while-stopped
	systemctl start haul-collector haul-agent
	wait_until 60 'arrived while-stopped'
	written before-the-reboot
}

# After a reboot, by themselves.
stage_again() {
	wait_until 60 'arrived before-the-reboot'
	written after-the-reboot
	logged journal-after-the-reboot
	wait_until 60 'arrived after-the-reboot journal-after-the-reboot'
	for text in before-the-install by-inotify after-a-rotation journal-live; do
		arrived "$text" || fail "$text is not there any more"
	done
	haul verify --host web-01 || fail 'haul verify'
}

stage_purge() {
	apt-get -qq -y purge haul haul-agent haul-collector >/apt.log 2>&1 || fail "$(tail -n 20 /apt.log)"
	! cat /proc/[0-9]*/comm 2>/dev/null | grep -qxE 'haul-(agent|collector)' || fail 'a daemon outlives its package'
	grep -q 'logs in /var/log/haul are kept' /apt.log || fail 'purging does not say that the logs are kept'
	grep -rqs after-the-reboot /var/log/haul/2*/shop || fail 'purging took the logs away'
	[ ! -e /etc/haul ] && [ ! -e /var/lib/haul-agent ] || fail 'purging left configuration or registry'
}

"stage_$1"
echo "$1: as it should be"
