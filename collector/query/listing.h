/* The files of one directory of the archive, as they stood at one moment. */
#ifndef HAUL_COLLECTOR_QUERY_LISTING_H
#define HAUL_COLLECTOR_QUERY_LISTING_H

#include "collector/query/trouble.h"
#include "collector/store/segment_name.h"
#include "common/buf.h"
#include "common/span.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdint.h>

#define SEGMENT_LAST UINT32_MAX /* the number of a live file: after all others */
#define SEGMENT_NONE UINT32_MAX /* no such ordinal */

struct segment {
	uint32_t number; /* NNNN, or SEGMENT_LAST */
	enum segment_form form;
	const char *service;   /* not owned */
	char *host, *name;     /* owned; name is the file's */
	uint64_t size;         /* when it was listed or opened */
	uint32_t next, before; /* ordinals in the same shard, SEGMENT_NONE at the ends */
	uint32_t rank;         /* in order of shards, and in each of numbers */
	int fd;
	unsigned users;
	uint64_t ino;
	bool held; /* open as long as the list */
	bool gone;
	bool settled; /* it has been opened: its form must stay */
	enum segment_form settled_form;
};

static inline bool segment_is_plain(const struct segment *s)
{
	return s->form == SEGMENT_LIVE || s->form == SEGMENT_CLOSED;
}

/* By globs; no glob chooses all. */
struct segment_choice {
	const char *const *services;
	size_t n_services;
	const char *const *hosts;
	size_t n_hosts;
};

/* Zero it to begin. */
struct listing {
	struct segment *items;
	size_t n, cap;
	/* How many more plain files may be held open, shared with other lists. NULL: any number. */
	atomic_size_t *held_left;
};

struct listing_request {
	const char *day, *service; /* service: what the segments then point to */
	const struct segment_choice *choice;
	struct trouble *trouble;
};

/* Appends the chosen files of a directory; what is no segment is passed over, what cannot be read
 * is told and left out. Errors: -ENOMEM; -errno of reading the directory. */
int listing_add_directory(struct listing *l, DIR *dir,
			  const struct listing_request *request) MUST_CHECK;

/* Appends what `lists` have, which are then empty. -ENOMEM: nothing was moved. */
int listing_take(struct listing *l, struct listing *lists, size_t n) MUST_CHECK;

void listing_free(struct listing *l);
/* Forgets (and closes) all from number `from` on. */
void listing_cut(struct listing *l, size_t from);
/* Gives one item's descriptor and memory back. */
void listing_forget(struct listing *l, struct segment *seg);

bool listing_chosen(const char *name, const char *const *globs, size_t n);

/* A directory's entries; NULL with errno. Symbolic links are not followed. */
DIR *listing_open_directory(int dirfd, const char *path);

#endif
