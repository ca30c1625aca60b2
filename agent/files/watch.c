/* inotify: see watch.h. Used by discover only, which says what events mean.
 *
 * Watches stand on directories, so a file is never looked up to be watched and there is one watch
 * for thousands of files. IN_MASK_ADD lets two paths to one directory (a symbolic link) share its
 * watch. */
#include "agent/files/watch.h"

#include <assert.h>
#include <errno.h>
#include <inotifytools/inotify.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { READ_SIZE = 64 * 1024, READS_MAX = 64 };

struct watch {
	int fd;
	uint64_t count;
};

int watch_new(struct watch **ret)
{
	struct watch *w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (w->fd < 0) {
		int r = -errno;
		free(w);
		return r;
	}
	*ret = w;
	return 0;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	close(w->fd);
	free(w);
}

int watch_fd(const struct watch *w)
{
	return w->fd;
}

uint64_t watch_count(const struct watch *w)
{
	return w->count;
}

static uint32_t mask_of(enum watch_kind kind)
{
	const uint32_t self = IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
	const uint32_t way = self | IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE;
	switch (kind) {
	case WATCH_SELF: return self;
	case WATCH_WAY: return way;
	case WATCH_FULL: return way | IN_MODIFY | IN_ATTRIB;
	}
	return 0;
}

int watch_add(struct watch *w, const char *path, enum watch_kind kind)
{
	uint32_t mask = mask_of(kind);
	/* Told apart, so that the count is right: a new watch, or more of one that is there. */
	int wd = inotify_add_watch(w->fd, path, mask | IN_MASK_CREATE);
	if (wd >= 0) {
		w->count++;
		return wd;
	}
	if (errno == EEXIST || errno == EINVAL)
		wd = inotify_add_watch(w->fd, path, mask | IN_MASK_ADD);
	return wd < 0 ? -errno : wd;
}

int watch_set(struct watch *w, const char *path, enum watch_kind kind)
{
	int wd = inotify_add_watch(w->fd, path, mask_of(kind));
	return wd < 0 ? -errno : wd;
}

void watch_remove(struct watch *w, int wd)
{
	/* The kernel answers with IN_IGNORED, also when it took the watch away itself: that is
	 * counted. */
	(void)inotify_rm_watch(w->fd, wd);
}

static void give(struct watch *w, const struct inotify_event *e,
		 void (*each)(void *user, const struct watch_event *e), void *user)
{
	struct watch_event event = {
		.wd = e->mask & IN_Q_OVERFLOW ? -1 : e->wd,
		.mask = e->mask,
		.cookie = e->cookie,
		.name = e->len ? e->name : "",
	};
	if (e->mask & IN_IGNORED && w->count)
		w->count--;
	each(user, &event);
}

bool watch_take(struct watch *w, void (*each)(void *user, const struct watch_event *e), void *user)
{
	_Alignas(struct inotify_event) char bytes[READ_SIZE];
	/* Bounded: writers that are faster than this loop must not keep the agent from reading
	 * files. */
	for (int reads = 0; reads < READS_MAX; reads++) {
		ssize_t n = read(w->fd, bytes, sizeof(bytes));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return true;
		for (char *at = bytes; at < bytes + n;) {
			const struct inotify_event *e = (const void *)at;
			assert(at + sizeof(*e) + e->len <= bytes + n);
			give(w, e, each, user);
			at += sizeof(*e) + e->len;
		}
	}
	return false;
}
