/* The one inotify instance. */
#ifndef HAUL_AGENT_WATCH_H
#define HAUL_AGENT_WATCH_H

#include "common/buf.h"

#include <stdint.h>

struct watch;

enum watch_kind {
	WATCH_WAY,  /* a directory that is only on the way: what is made, moved and deleted in it */
	WATCH_FULL, /* a directory with files of interest: writes as well */
};

struct watch_event {
	int wd;        /* -1: the queue has overflowed, events are missing */
	uint32_t mask; /* IN_* */
	uint32_t cookie;
	const char *name; /* "" the watched thing itself */
};

/* Errors: -errno (-EMFILE: the user's inotify instances are used up). */
int watch_new(struct watch **ret) MUST_CHECK;
void watch_free(struct watch *w);
int watch_fd(const struct watch *w);

/* Returns the watch descriptor (the same for the same directory, whichever path leads to it; what it was watched
 * for is added up), or -errno: -ENOSPC the limit of watches is reached. */
int watch_add(struct watch *w, const char *path, enum watch_kind kind) MUST_CHECK;
void watch_remove(struct watch *w, int wd);
uint64_t watch_count(const struct watch *w);

/* Takes all events that are there and calls `each` in order. Returns whether there were any. */
bool watch_take(struct watch *w, void (*each)(void *user, const struct watch_event *e), void *user);

#endif
