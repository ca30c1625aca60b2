# shellcheck shell=bash
# What the scenarios of systemd journals share; read after e2e.sh. Journals are written by systemd-journal-remote from
# the export format, so that no journald has to run.

need_journal_remote() { # sets JOURNAL_REMOTE
	for JOURNAL_REMOTE in /usr/lib/systemd/systemd-journal-remote /lib/systemd/systemd-journal-remote; do
		[ ! -x "$JOURNAL_REMOTE" ] || return 0
	done
	skip 'systemd-journal-remote is not on this machine'
}

# entries SERVICE FIRST LAST [FIELD=VALUE...]: numbered entries of a unit, in the export format, one each millisecond.
# JOURNAL_CLOCK (microseconds) goes on from call to call, JOURNAL_BOOT is their boot.
JOURNAL_CLOCK=$(($(date +%s) * 1000000))
JOURNAL_BOOT=$(printf '%032x' 11)
entries() {
	local service=$1 first=$2 last=$3
	shift 3
	perl -e '
		my ($service, $first, $last, $clock, $boot, @fields) = @ARGV;
		my $more = join "", map { "$_\n" } @fields;
		for my $n ($first .. $last) {
			$clock += 1000;
			printf "__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%s\n", $clock,
				$clock - 1600000000000000, $boot;
			print "_SYSTEMD_UNIT=$service.service\nPRIORITY=6\n${more}MESSAGE=$service $n\n\n";
		}' "$service" "$first" "$last" "$JOURNAL_CLOCK" "$JOURNAL_BOOT" "$@"
	JOURNAL_CLOCK=$((JOURNAL_CLOCK + (last - first + 1) * 1000))
}

# entry FIELD=VALUE...: one entry; a value may have line ends and any byte but NUL.
entry() {
	JOURNAL_CLOCK=$((JOURNAL_CLOCK + 1000))
	perl -e '
		my ($clock, $boot, @fields) = @ARGV;
		printf "__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%s\n", $clock,
			$clock - 1600000000000000, $boot;
		for (@fields) {
			my ($key, $value) = /^([^=]*)=(.*)\z/s;
			print $value =~ /[^ -~]/ ? "$key\n" . pack("Q<", length $value) . "$value\n" : "$_\n";
		}
		print "\n"' "$JOURNAL_CLOCK" "$JOURNAL_BOOT" "$@"
}

# write_journal FILE: appends the entries on stdin to the journal file.
write_journal() {
	"$JOURNAL_REMOTE" -o "$1" - 2>>"$T/journal-remote.log" || fail "$(tail -n 3 "$T/journal-remote.log")"
}
