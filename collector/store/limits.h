/* What one host may make grow in the store for good: files, streams, and the memory these take.
 * Beyond that its batches are put off as a whole, not refused chunk by chunk: a refused line is a
 * loss, and here only the host has to wait, with its lines in its own files. Guarded by the store's
 * lock. */
#ifndef HAUL_COLLECTOR_STORE_LIMITS_H
#define HAUL_COLLECTOR_STORE_LIMITS_H

#include "collector/store/store.h"

struct host;

/* Nobody needs more; a host that makes them is mistaken or hostile. Files are a setting
 * (store_config). */
#define STORE_STREAMS_PER_HOST 1000000
#define STORE_STREAM_BYTES_PER_HOST                                                                \
	(UINT64_C(512) << 20)           /* of memory, with their paths and states */
#define STORE_NEW_SHARDS_PER_HOST 10000 /* a day, by the collector's clock: the default */

/* Would the batch take its host beyond one of them? NULL: no; else which, a static text. Remembers
 * it in the host. */
const char *limits_beyond(const struct store *s, struct host *host, const struct submission *sub);

/* A new file of the host begins. */
void limits_count_shard(struct host *host, int64_t received_us);

#endif
