/* What the files of the pipeline share: pipeline.c has the map. Nobody else includes this. */
#ifndef HAUL_COLLECTOR_STORE_PIPELINE_INSIDE_H
#define HAUL_COLLECTOR_STORE_PIPELINE_INSIDE_H

#include "collector/store/core.h"

/* The two threads; `arg` is the store. */
void *wal_thread_run(void *arg);
void *append_thread_run(void *arg);

/* --- append_thread.c --- */

/* For appender.h: the shard goes on in another segment. 0 once that is durable, -errno. */
int append_move(void *user, struct shard *shard, struct place from, bool gone,
		uint32_t *ret_number) MUST_CHECK;
/* The items from `item` up to `end` (NULL: all) are done with. */
void append_let_go(struct store *s, struct store_item *item, const struct store_item *end);

/* --- pipeline.c --- */

/* What the store has failed with; 0: it has not. */
int pipeline_failure(struct store *s);
/* With the lock held: waits for the condition, at most so long. */
void pipeline_wait(struct store *s, pthread_cond_t *cond, int64_t ns);
/* No room on the disk. True: try again; false: the store is being closed or has failed. */
bool pipeline_wait_for_room(struct store *s);
bool pipeline_is_full(int error);

/* The submission whose item that is. */
struct submission *pipeline_submission(struct store_item *item);
/* How much of it waits for the append thread. */
uint64_t pipeline_bytes_to_append(const struct store_item *item);
/* What is let go of, by whoever has had it last. */
void pipeline_release(struct store *s, struct submission *sub);

#endif
