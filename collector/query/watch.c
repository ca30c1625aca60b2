/* Directories that change: see watch.h. Used by the follower alone.
 *
 * A watch's number is inotify's; the directory's user stands in an array under it, numbers being
 * small and dense. Whatever inotify cannot do is done by looking at everything at an interval. */
#include "collector/query/watch.h"

#include "common/clock.h"
#include "common/file.h"
#include "common/num.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/statfs.h>
#include <unistd.h>

enum {
	EVENTS_BYTES = 64 * 1024,
	MASK = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_MODIFY
};

struct watch {
	int fd; /* -1: polling alone */
	bool polling;
	int64_t poll_ns, next_poll_ns;
	void **users; /* by watch number */
	size_t n_users;
	size_t len, at; /* of events */
	char events[EVENTS_BYTES] __attribute__((aligned(__alignof__(struct inotify_event))));
};

struct watch *watch_new(int64_t poll_ns)
{
	const char *poll_wanted = getenv("HAUL_POLL");
	struct watch *w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	w->poll_ns = poll_ns;
	w->fd = poll_wanted && *poll_wanted ? -1 : inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	w->polling = w->fd < 0;
	return w;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	file_close(&w->fd);
	free(w->users);
	free(w);
}

/* File systems whose changes may be made on another machine, or behind the kernel's back. */
static bool is_blind(const char *path)
{
	static const uint64_t blind[] = {0x6969 /* NFS */,      0xff534d42 /* CIFS */,
					 0xfe534d42 /* SMB2 */, 0x517b /* SMB */,
					 0x65735546 /* FUSE */, 0x01021997 /* 9P */,
					 0x00c36400 /* Ceph */, 0x5346414f /* AFS */,
					 0x01161970 /* GFS2 */, 0x7461636f /* OCFS2 */};
	struct statfs fs;
	if (statfs(path, &fs) < 0)
		return false;
	for (size_t i = 0; i < sizeof(blind) / sizeof(*blind); i++)
		if ((uint64_t)(uint32_t)fs.f_type == blind[i])
			return true;
	return false;
}

static int remember(struct watch *w, int number, void *user)
{
	size_t need = (size_t)number + 1;
	if (need > w->n_users) {
		size_t n = need * 2;
		void **more = realloc(w->users, n * sizeof(*more));
		if (!more)
			return -ENOMEM;
		memset(more + w->n_users, 0, (n - w->n_users) * sizeof(*more));
		w->users = more;
		w->n_users = n;
	}
	w->users[number] = user;
	return 0;
}

int watch_add(struct watch *w, const char *path, void *user, int *ret)
{
	*ret = -1;
	if (w->fd < 0)
		return 0;
	if (is_blind(path))
		w->polling = true;
	int number = inotify_add_watch(w->fd, path, MASK | IN_ONLYDIR);
	if (number < 0) {
		if (errno == ENOENT || errno == ENOTDIR || errno == ENOMEM)
			return -errno;
		w->polling = true;
		return 0;
	}
	int r = remember(w, number, user);
	if (r == 0)
		*ret = number;
	return r;
}

void watch_drop(struct watch *w, int number)
{
	if (number < 0 || (size_t)number >= w->n_users)
		return;
	w->users[number] = NULL;
	(void)inotify_rm_watch(w->fd, number);
}

int watch_wait(struct watch *w, int fd, int64_t timeout_ns)
{
	struct pollfd fds[2] = {{.fd = w->fd, .events = POLLIN}, {.fd = fd}};
	if (w->at < w->len)
		return 1;
	if (w->polling) {
		int64_t until_ns = w->next_poll_ns - clock_mono_ns();
		if (until_ns <= 0)
			return 1;
		if (until_ns < timeout_ns)
			timeout_ns = until_ns;
	}
	const struct timespec timeout = {.tv_sec = timeout_ns / NUM_SEC_NS,
					 .tv_nsec = timeout_ns % NUM_SEC_NS};
	int n = ppoll(fds, 2, &timeout, NULL);
	if (n > 0 && fds[1].revents & (POLLERR | POLLHUP | POLLNVAL))
		return -EPIPE;
	return n > 0 || (w->polling && clock_mono_ns() >= w->next_poll_ns);
}

/* Reads what inotify has; false when there is nothing. */
static bool fill(struct watch *w)
{
	ssize_t n = w->fd < 0 ? -1 : read(w->fd, w->events, sizeof(w->events));
	w->at = 0;
	w->len = n > 0 ? (size_t)n : 0;
	return n > 0;
}

static bool poll_is_due(struct watch *w, struct watch_event *ret)
{
	int64_t now_ns = clock_mono_ns();
	if (!w->polling || now_ns < w->next_poll_ns)
		return false;
	w->next_poll_ns = now_ns + w->poll_ns;
	*ret = (struct watch_event){.kind = WATCH_LOOK_ALL};
	return true;
}

bool watch_next(struct watch *w, struct watch_event *ret)
{
	if (poll_is_due(w, ret))
		return true;
	while (w->at < w->len || fill(w)) {
		struct inotify_event e;
		memcpy(&e, w->events + w->at, sizeof(e));
		const char *name = w->events + w->at + sizeof(e);
		w->at += sizeof(e) + e.len;
		if (e.mask & IN_Q_OVERFLOW) {
			*ret = (struct watch_event){.kind = WATCH_LOOK_ALL};
			return true;
		}
		if (e.wd < 0 || (size_t)e.wd >= w->n_users || !w->users[e.wd])
			continue;
		*ret = (struct watch_event){.user = w->users[e.wd],
					    .name = span_of(e.len ? name : NULL)};
		if (e.mask & IN_IGNORED) {
			ret->kind = WATCH_GONE;
			w->users[e.wd] = NULL;
		} else {
			ret->kind = e.mask & IN_MODIFY ? WATCH_GREW : WATCH_ENTRY;
		}
		return true;
	}
	return false;
}
