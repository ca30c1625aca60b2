/* Follows the archive as it grows: every shard, or those that are chosen, new ones as they appear,
 * through the change of day and the closing and sealing of segments. One thread. */
#ifndef HAUL_COLLECTOR_QUERY_FOLLOW_H
#define HAUL_COLLECTOR_QUERY_FOLLOW_H

#include "collector/query/segments.h"

struct follow;

/* A shard's own corner for who follows: zeroed at first. */
struct follow_state {
	void *ptr;
};

struct follow_ops {
	/* Whole new lines of a shard, in order. Negative: following ends with this error. */
	int (*lines)(void *user, uint64_t shard, struct follow_state *state, struct span lines);
	/* The shard is followed no longer. */
	void (*forget)(void *user, struct follow_state *state);
	void *user;
};

/* Days before `first_day` are not followed. The archive's descriptor, path and choice outlive it.
 * `ops` is copied. Errors: -ENOMEM; -errno. */
int follow_new(int archive_fd, const char *data_dir, int32_t first_day,
	       const struct segment_choice *choice, struct trouble *trouble,
	       const struct follow_ops *ops, struct follow **ret) MUST_CHECK;
void follow_free(struct follow *f);

/* What the list has is known: its shards are followed from the ends that they had then. Each day
 * from the first on that the archive has is adopted before anything is read. Errors: -ENOMEM;
 * -errno. */
int follow_adopt(struct follow *f, const struct segments *segments) MUST_CHECK;

/* Waits until something may have happened, at most `timeout_ns`, or until nobody reads `fd` any
 * more (-EPIPE). */
int follow_wait(struct follow *f, int fd, int64_t timeout_ns) MUST_CHECK;

/* Gives out what is new. Errors: of ops.lines; -ENOMEM. */
int follow_read(struct follow *f) MUST_CHECK;

#endif
