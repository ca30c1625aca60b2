/* Places of the archive that somebody has closed to the collector: a day's or a service's
 * directory, or one file, that belongs to another owner, is read-only, or is a mount point now.
 * Nothing else waits for them: their streams are told to come again (judge.c), and their lines that
 * were acknowledged wait beside the log (restore_waiting.c). Found by recovery before any thread
 * runs, constant while the store is open. */
#ifndef HAUL_COLLECTOR_STORE_BLOCKED_H
#define HAUL_COLLECTOR_STORE_BLOCKED_H

#include "collector/store/segment_name.h"
#include "collector/store/tree.h"

struct blocked_place {
	int32_t day;
	size_t service_len; /* in `path`, behind the day; 0: no new file of the day can be made */
	bool file;          /* only this file */
	int error;          /* -errno */
	char path[SEGMENT_PATH_MAX]; /* of the directory or the file */
};

struct blocked {
	struct blocked_place *places;
	size_t n, capacity;
};

/* Does this say that the way is closed, not that nothing is there or that the disk is broken? */
bool blocked_error(int error);

/* May files be made in the directory of a day and service, and in those above it where it is
 * missing? */
bool blocked_dir(const struct tree *t, int32_t day, struct span service, struct blocked_place *ret);

/* Notes it, and says it aloud when it is new. -ENOMEM. */
int blocked_add(struct blocked *b, const struct blocked_place *place) MUST_CHECK;
void blocked_free(struct blocked *b);

/* Would a new file of that day and service be in one of them? */
bool blocked_for(const struct blocked *b, int32_t day, struct span service);

/* The first that is open again; NULL: none. */
const struct blocked_place *blocked_opened(const struct blocked *b, const struct tree *t);

#endif
