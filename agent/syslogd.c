/* Syslog daemons: see syslogd.h. Asked at a start and a reload when no input is configured.
 * journald hands everything to a syslog daemon, or the daemon reads the journal itself; either way
 * it ends up in one of the well-known files, which are followed by default. A daemon that runs is
 * told by its pid file; one that only sends elsewhere does not have the files. */
#include "agent/syslogd.h"

#include "common/file.h"
#include "common/num.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

enum { PID_FILE_MAX = 64 };

static const struct {
	const char *name, *pid_file;
} daemons[] = {
	{"rsyslogd", "/run/rsyslogd.pid"},
	{"syslog-ng", "/run/syslog-ng.pid"},
	{"syslog-ng", "/run/syslog-ng/syslog-ng.pid"},
	{"syslogd", "/run/syslogd.pid"},
	{"syslogd", "/run/syslog.pid"},
};

static const char *const files[] = {"/var/log/syslog", "/var/log/messages"};

static bool runs(const char *pid_file)
{
	struct buf text = BUF_EMPTY;
	uint64_t pid = 0;
	bool alive = file_read(AT_FDCWD, pid_file, PID_FILE_MAX, &text) == 0;
	struct span s = buf_span(&text);
	alive = alive && num_parse_u64(span_trim(span_first(s, span_find(s, '\n'))), &pid) == 0 &&
		pid > 0 && pid < INT32_MAX && (kill((pid_t)pid, 0) == 0 || errno == EPERM);
	buf_free(&text);
	return alive;
}

static const char *file_there(void)
{
	struct stat st;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (stat(files[i], &st) == 0 && S_ISREG(st.st_mode))
			return files[i];
	return NULL;
}

int syslogd_find(struct buf *out)
{
	const char *file = file_there();
	for (size_t i = 0; file && i < sizeof(daemons) / sizeof(daemons[0]); i++) {
		if (!runs(daemons[i].pid_file))
			continue;
		int r = buf_printf(out, "%s writes the same to %s", daemons[i].name, file);
		return r < 0 ? r : 1;
	}
	return 0;
}
