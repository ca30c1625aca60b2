#!/bin/bash
# A real journald, in namespaces of its own: it writes, moves its journal from /run to /var/log, rotates, and is vacuumed
# of what was read and of what was not.
. "$(dirname "$0")/../lib/e2e.sh"
need_programs haul-agent haul-collector
for journald in /usr/lib/systemd/systemd-journald /lib/systemd/systemd-journald ''; do
	[ ! -x "$journald" ] || break
done
[ -n "$journald" ] || skip 'systemd-journald is not on this machine'
need logger unshare setpriv
[ "$(id -u)" = 0 ] || skip 'a journald takes root'
[ -s /etc/machine-id ] || skip 'this machine has no id, so its journal has no place'
if [ -z "${HAUL_OWN_MOUNTS-}" ]; then
	unshare -m --propagation private true 2>/dev/null || skip 'there are no mount namespaces here'
	rm -rf "$T"
	HAUL_OWN_MOUNTS=1 exec unshare -m --propagation private bash "$0"
fi
mkdir -p "$T/var-log" "$T/bin"
cp "$HAUL_BIN"/haul* "$T/bin/" # they may lie below what is covered now
HAUL_BIN=$T/bin
mount -t tmpfs haul-test /run && mount --bind "$T/var-log" /var/log || skip 'nothing can be mounted here'
mkdir -p /run/systemd/journal /run/log/journal /var/log/journal
machine=$(cat /etc/machine-id)

start_journald() {
	ERR_NAME=journald start "$journald"
	JOURNALD_PID=$PID
	try_until 20 '[ -S /run/systemd/journal/dev-log ]' || skip "no journald here: $(tail -n 1 "$T/journald.err")"
}
NUMBER=0
write_entries() { # write_entries COUNT
	local last=$((NUMBER + $1))
	seq -f 'number %.0f' $((NUMBER + 1)) $last |
		logger --socket /run/systemd/journal/dev-log -t counter -p user.info
	NUMBER=$last
	wait_until 30 "journalctl -q -t counter -o cat | grep -qx 'number $last'"
}
expect_all() {
	seq -f 'number %.0f' 1 "$NUMBER" >"$T/expected"
	expect_exactly_once "$T/expected" counter
}
archived() {
	find /var/log/journal -name 'system@*.journal' | sort
}
rotate() {
	local had
	had=$(archived | wc -l)
	kill -USR2 "$JOURNALD_PID"
	wait_until 20 "(( \$(archived | wc -l) > $had ))"
}

start_journald
write_entries 100
start_collector
start_agent web-01 '[input journal]
type = journal'
expect_all

# From /run to /var/log: the same entries under other numbers.
touch /run/systemd/journal/flushed
kill -USR1 "$JOURNALD_PID"
wait_until 20 '[ -e "/var/log/journal/$machine/system.journal" ] && [ ! -e "/run/log/journal/$machine/system.journal" ]'
write_entries 100
expect_all

# Rotated, and vacuumed of what was read.
rotate
write_entries 100
rotate
expect_all
stop "$AGENT_PID"
archived | xargs rm
write_entries 100
start_agent web-01
expect_all

# Rotated and written while it is killed.
for i in 1 2 3 4; do
	write_entries 50
	kill9 "$AGENT_PID"
	[ $((i % 2)) = 0 ] || rotate
	start_agent web-01
done
expect_all

# Users have files of their own, which take their numbers from the same counter: nothing is missing there.
loggers=()
for user in 0 1001 1002; do
	seq -f "of $user %.0f" 1 500 | setpriv --reuid "$user" --clear-groups \
		logger --socket /run/systemd/journal/dev-log -t "user$user" &
	loggers+=($!)
done
wait "${loggers[@]}"
for user in 0 1001 1002; do
	seq -f "of $user %.0f" 1 500 >"$T/of-user"
	expect_exactly_once "$T/of-user" "user$user"
done
expect_equal 'losses' 0 "$(metric "$AGENT_URL" haul_agent_losses_total)"

# Vacuumed of what was not read: as many entries are a loss.
stop "$AGENT_PID"
rotate # closes the file that has entries which were read
archived | xargs rm
write_entries 70
lost=$(journalctl -q --file "/var/log/journal/$machine/system.journal" -o cat | wc -l)
rotate
archived | xargs rm
write_entries 30
start_agent web-01
wait_until 30 'messages counter | grep -cx "number $NUMBER"'
seq -f 'number %.0f' 1 "$NUMBER" | sort | comm -23 - <(messages counter | sort) >"$T/missing"
expect_equal 'missing' "$(seq -f 'number %.0f' $((NUMBER - 99)) $((NUMBER - 30)) | sort)" "$(cat "$T/missing")"
[ -z "$(messages counter | sort | uniq -d)" ] || fail 'something came twice'
wait_until 30 "[ \"\$(metric $AGENT_URL haul_agent_losses_total)\" = 1 ]"
[ "$(metric "$AGENT_URL" haul_agent_lost_bytes_total)" -ge "$lost" ] || fail "fewer than $lost entries are told lost"
# It is told once.
stop "$AGENT_PID"
start_agent web-01
write_entries 10
wait_until 30 'messages counter | grep -cx "number $NUMBER"'
expect_equal 'losses told again' 0 "$(metric "$AGENT_URL" haul_agent_losses_total)"

stop "$AGENT_PID"
stop "$COLLECTOR_PID"
grep -aqs deleted "$DATA/.haul"/* || fail 'the loss in the ledger'
