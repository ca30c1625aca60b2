/* Tells when something happens in directories: by inotify, or by the clock where that is blind. One
 * thread. */
#ifndef HAUL_COLLECTOR_QUERY_WATCH_H
#define HAUL_COLLECTOR_QUERY_WATCH_H

#include "common/buf.h"
#include "common/span.h"

#include <stdint.h>

struct watch;

enum watch_kind {
	WATCH_ENTRY,    /* an entry came, went or was renamed */
	WATCH_GREW,     /* a file in it was written to */
	WATCH_GONE,     /* the directory itself is gone */
	WATCH_LOOK_ALL, /* events were lost, or there are none to be had: look at everything */
};

struct watch_event {
	enum watch_kind kind;
	void *user;       /* of the directory; NULL with WATCH_LOOK_ALL */
	struct span name; /* of the entry; valid until the next call */
};

/* `poll_ns`: how often WATCH_LOOK_ALL comes when events cannot be had of some directory (a network
 * file system, no more watches), or when HAUL_POLL is set. NULL when memory is short. */
struct watch *watch_new(int64_t poll_ns);
void watch_free(struct watch *w);

/* Watches a directory; `user` comes back with its events. A directory that cannot be watched is
 * polled. Errors: -ENOENT, -ENOTDIR it is not there; -ENOMEM. *ret is its number, for
 * watch_drop. */
int watch_add(struct watch *w, const char *path, void *user, int *ret) MUST_CHECK;
/* Fine on a negative number (a directory that is polled). */
void watch_drop(struct watch *w, int number);

/* Waits for an event, for `fd` to hang up, or for a signal, at most `timeout_ns`. 1: there may be
 * events; 0: the time is over or a signal came; -EPIPE: nobody reads `fd` any more. */
int watch_wait(struct watch *w, int fd, int64_t timeout_ns) MUST_CHECK;

/* The next event that is there: false when there is none. */
bool watch_next(struct watch *w, struct watch_event *ret);

#endif
