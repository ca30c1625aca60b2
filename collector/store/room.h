/* Room on the disk: what may be admitted, and a reserve for hard times.
 *
 * A batch needs room twice: in the WAL as it came, and for its rendered lines. What is admitted and
 * not yet written is counted against what is free, and `min_free` of the file system stays
 * untouched. The ballast is a file whose blocks are reserved; it is given up when there is no room
 * left at all, so that a start, a checkpoint and a deletion always work.
 *
 * Thread-safe, but for opening and closing. */
#ifndef HAUL_COLLECTOR_STORE_ROOM_H
#define HAUL_COLLECTOR_STORE_ROOM_H

#include "collector/store/tree.h"
#include "common/conf.h"

#include <pthread.h>
#include <stdint.h>

struct room {
	const struct tree *tree;
	struct conf_amount min_free;
	pthread_mutex_t lock; /* guards what follows */
	uint64_t promised;    /* admitted, not yet written */
	uint64_t free_bytes, total_bytes;
	int64_t asked_mono_ns; /* when the file system was asked for the two */
};

void room_init(struct room *r, const struct tree *tree, struct conf_amount min_free);
void room_destroy(struct room *r);

/* -ENOSPC when so much more would pass min_free; -errno when the file system cannot be asked. */
int room_check(struct room *r, uint64_t bytes) MUST_CHECK;

/* Counts what is under way, and what has been written. */
void room_promise(struct room *r, uint64_t bytes);
void room_fulfil(struct room *r, uint64_t bytes);

/* What is free, what there is, and what stays free. */
void room_figures(struct room *r, uint64_t *ret_free, uint64_t *ret_total, uint64_t *ret_reserve);

/* Gives the ballast up; true when there was one. */
bool room_drop_ballast(const struct tree *t);
/* Makes it, when there is room for it and none is there. Nothing to say when that fails: next
 * time. */
void room_make_ballast(struct room *r);

#endif
