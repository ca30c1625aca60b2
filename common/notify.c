/* sd_notify(3)'s protocol: see notify.h. Called by the daemons' main loops.
 *
 * A notification is one datagram. It may be lost (no manager, an old one, a full queue for longer
 * than SEND_WAIT): the daemon's work does not depend on it, so nothing is reported. The environment
 * is read each time: it is asked for a few times a minute at most. */
#include "common/notify.h"

#include "common/clock.h"
#include "common/file.h"
#include "common/num.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	STATUS_MAX = 400,
	SEND_WAIT_S = 1, /* a manager that does not take it within that is not waited for */
};

/* The manager's address; its length, or 0 when there is none. '@' stands for the NUL of an abstract
 * name. */
static socklen_t manager_address(struct sockaddr_un *ret)
{
	struct span path = span_of(getenv("NOTIFY_SOCKET"));
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (path.len < 2 || path.len >= sizeof(ret->sun_path) ||
	    (path.ptr[0] != '/' && path.ptr[0] != '@'))
		return 0;
	memcpy(ret->sun_path, path.ptr, path.len);
	if (path.ptr[0] == '@')
		ret->sun_path[0] = '\0';
	/* An abstract name ends where the length says, a path's NUL counts. */
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len +
			   (path.ptr[0] == '/' ? 1 : 0));
}

bool notify_is_heard(void)
{
	struct sockaddr_un address;
	return manager_address(&address) > 0;
}

static void notify(const char *message)
{
	struct sockaddr_un address;
	struct timeval wait = {.tv_sec = SEND_WAIT_S};
	socklen_t len = manager_address(&address);
	if (!len)
		return;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	(void)sendto(fd, message, strlen(message), MSG_NOSIGNAL, (struct sockaddr *)&address, len);
	file_close(&fd);
}

void notify_ready(void)
{
	notify("READY=1");
}

void notify_reloading(void)
{
	char message[64];
	(void)snprintf(message, sizeof(message), "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
		       clock_mono_ns() / NUM_US_NS);
	notify(message);
}

void notify_stopping(void)
{
	notify("STOPPING=1");
}

void notify_status(const char *fmt, ...)
{
	char message[STATUS_MAX] = "STATUS=";
	size_t start = strlen(message);
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(message + start, sizeof(message) - start, fmt, args);
	va_end(args);
	/* A line end would begin another assignment. */
	for (char *c = message + start; *c; c++)
		if (*c == '\n')
			*c = ' ';
	notify(message);
}

void notify_watchdog(void)
{
	notify("WATCHDOG=1");
}

int64_t notify_watchdog_interval_ns(void)
{
	const char *pid = getenv("WATCHDOG_PID");
	uint64_t usec, wanted_pid;
	if (num_parse_u64(span_of(getenv("WATCHDOG_USEC")), &usec) < 0 ||
	    usec > INT64_MAX / (uint64_t)NUM_US_NS)
		return 0;
	/* The variable may be meant for a parent that passed its environment on. */
	if (pid &&
	    (num_parse_u64(span_of(pid), &wanted_pid) < 0 || wanted_pid != (uint64_t)getpid()))
		return 0;
	return (int64_t)usec * NUM_US_NS / 2;
}
