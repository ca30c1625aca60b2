/* The one inotify instance. */
#ifndef HAUL_AGENT_WATCH_H
#define HAUL_AGENT_WATCH_H

#include "common/buf.h"

#include <stdint.h>

struct watch;

/* Each has all that the ones before it have. What happens in a directory wakes the agent whether it
 * is of interest or not (think of /tmp), so no more is asked for than is needed. */
enum watch_kind {
	WATCH_SELF, /* the directory itself: that it is moved or deleted */
	/* names in it are waited for, or may lead elsewhere: what is made, moved and deleted in
	 * it */
	WATCH_WAY,
	WATCH_FULL, /* it has files of interest: writes as well */
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

/* Returns the watch descriptor (the same for the same directory, whichever path leads to it; what
 * it was watched for is added up), or -errno: -ENOSPC the limit of watches is reached. */
int watch_add(struct watch *w, const char *path, enum watch_kind kind) MUST_CHECK;
/* The same, but of what it was watched for before nothing stays: for whoever knows all that lead to
 * it. */
int watch_set(struct watch *w, const char *path, enum watch_kind kind) MUST_CHECK;
void watch_remove(struct watch *w, int wd);
uint64_t watch_count(const struct watch *w);

/* Takes the events that are there and calls `each` in order. Returns whether it took all of them;
 * not when they come faster than they can be taken. */
bool watch_take(struct watch *w, void (*each)(void *user, const struct watch_event *e), void *user);

#endif
