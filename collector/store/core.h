/* The store's inside: what its parts share. Included by the store's own files only.
 *
 *     judge.c        any thread: judges, places, queues
 *     pipeline.c     the queue, and the two threads behind it:
 *     wal_thread.c      writes, syncs, answers
 *     append_thread.c   appends
 *     checkpoint.c   checkpoint thread: syncs segments, writes the ledger, drops WAL
 *     recovery.c     before any thread runs
 *     store.c        composes them
 *
 * Everything that is judged, asked or marked goes through one queue, in the order in which the lock
 * was held: so an answer never comes before that of what it rests on, and a mark parts what was
 * before it from what comes after, in the WAL and in the files. */
#ifndef HAUL_COLLECTOR_STORE_CORE_H
#define HAUL_COLLECTOR_STORE_CORE_H

#include "collector/store/appender.h"
#include "collector/store/blocked.h"
#include "collector/store/ledger.h"
#include "collector/store/limits.h"
#include "collector/store/room.h"
#include "collector/store/session.h"
#include "collector/store/shard.h"
#include "collector/store/store.h"
#include "collector/store/streams.h"
#include "collector/store/tree.h"
#include "collector/store/wal.h"
#include "collector/store/walrecord.h"

#include <pthread.h>

/* With so much waiting to be appended, the WAL thread waits before it takes more. */
#define STORE_APPEND_QUEUE_BYTES (UINT64_C(64) << 20)

#define LEDGER_PATH   TREE_HAUL "/ledger.db"
#define SNAPSHOT_PATH TREE_WAL "/snapshot.db"
#define EXPORT_PATH   TREE_HAUL "/ledger-export.db"

/* --- what goes through the queue --- */

enum item_kind {
	ITEM_BATCH,   /* struct submission */
	ITEM_SESSION, /* struct session_item */
	ITEM_ROWS,    /* struct rows_item */
	ITEM_MOVE,    /* struct move_item */
	ITEM_MARK,    /* struct mark */
};

/* The lines of a taken chunk and where they will stand. */
struct order_lines {
	struct shard *shard;
	struct place place;
	const struct rendered *rendered;
};

/* How a chunk was judged, for the record. */
struct order_chunk {
	enum stream_judgement how;
	bool identity;
	size_t n_lines; /* of order->lines */
};

/* What judging made of a submission. One piece of memory. */
struct order {
	uint64_t body_crc;
	uint64_t bytes; /* gzip body and rendered lines */
	size_t n_taken, n_lines;
	struct order_lines *lines;   /* of taken chunks, in order */
	struct order_chunk chunks[]; /* one a chunk */
};

struct session_item {
	struct store_item item;
	struct session session; /* spans point into `text` */
	int result;
	void (*done)(void *user, int result, uint64_t session);
	void *user;
	char text[NAME_MAX_LEN + SESSION_MACHINE_MAX + SESSION_AGENT_MAX];
};

struct rows_item {
	struct store_item item;
	struct buf rows;
	void (*done)(void *user, int result, struct span rows);
	void *user;
};

struct move_item {
	struct store_item item;
	struct shard *shard;
	struct move move;
};

struct closing {
	struct shard *shard;
	uint32_t number;
};

/* A checkpoint's mark in the queue. */
struct mark {
	struct store_item item;
	uint64_t lsn; /* of the last record before it */
	struct closing *closings;
	size_t n_closings;
	struct appender_report report; /* by the append thread, when it has come to the mark */
	bool reached; /* everything before it stands in the files, and the report is there */
	bool passed;  /* both threads have done with it; guarded by the lock */
};

struct queue {
	struct store_item *first, **end;
};

/* --- the store --- */

struct checkpointer; /* checkpoint.c's own */

struct store {
	struct tree tree;
	int tree_wal; /* the WAL's directory */
	char *data_dir;
	char uuid[UUID_LEN + 1];
	/* made by this start: nothing on disk has it before the first checkpoint */
	bool uuid_is_new;
	struct store_config config;
	struct room room;
	struct blocked blocked; /* recovery's; constant since */
	/* Guards ledger and its copy; taken with no other lock held, and before `lock`. */
	pthread_mutex_t ledger_lock;
	struct ledger *ledger;
	struct wal_files *wal_files;
	struct wal *wal;          /* the WAL thread's */
	struct appender appender; /* the append thread's */
	struct shard **moved;     /* likewise: shards with moves */
	size_t n_moved;
	struct checkpointer *checkpointer;
	pthread_t wal_thread, append_thread;
	bool threads_run;

	/* Guards everything below, and the tables' contents. Lock order: this one, then those
	 * inside room and wal_files. */
	pthread_mutex_t lock;
	pthread_cond_t queued;     /* for the WAL thread */
	pthread_cond_t appendable; /* for the append thread */
	pthread_cond_t progress;   /* durable_lsn, append_bytes, a mark or failure has changed */
	struct streams streams;
	struct hosts hosts;
	struct shards shards;
	uint64_t last_stream_row;
	struct loss *losses; /* since the last checkpoint */
	size_t n_losses, losses_capacity;
	struct queue queue;        /* for the WAL thread */
	struct queue append_queue; /* for the append thread */
	uint64_t lsn;              /* the last that was given */
	uint64_t durable_lsn;
	uint64_t append_bytes; /* of lines in append_queue and under way */
	bool append_waits;     /* the append thread waits for the WAL thread */
	bool closing;          /* there is no waiting for room any more */
	bool wal_stop, append_stop;
	int failure; /* 0 or -errno */
	char failure_what[256];
	struct store_counters counters;
};

void queue_init(struct queue *q);
void queue_add(struct queue *q, struct store_item *item);
/* All that is in it, linked by `next`. */
struct store_item *queue_take(struct queue *q);

/* With the lock held: gives an item its turn, with a record when `record`. */
void store_enqueue(struct store *s, struct store_item *item, enum item_kind kind, bool record);

/* The first failure counts; it is said aloud. Any thread, without the lock. */
void store_fail(struct store *s, int error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* A condition that goes by the monotonic clock. */
void cond_init(pthread_cond_t *cond);

/* --- pipeline.c --- */

int pipeline_start(struct store *s) MUST_CHECK;
/* Ends both threads; what still waits is answered -EIO. */
void pipeline_stop(struct store *s);

/* --- checkpoint.c --- */

int checkpoint_start(struct store *s, uint64_t ledger_lsn) MUST_CHECK;
void checkpoint_stop(struct store *s);
/* Wakes the thread when so much has been rendered that it is time. With the lock held. */
void checkpoint_note(struct store *s, uint64_t rendered_bytes, bool segment_full);
int checkpoint_now(struct store *s) MUST_CHECK;
/* With the ledger's lock held: makes the copy of the ledger as new as the ledger, or sees to it
 * that there is none. -errno. */
int checkpoint_settle(struct store *s) MUST_CHECK;
/* Likewise: the ledger has changed beside the log. */
void checkpoint_outdate(struct store *s);

/* --- judge.c --- */

/* For recovery, too: counts a chunk that was taken. */
void judge_count(struct store *s, struct host *host, const struct chunk *c, uint64_t stored);
/* Notes a loss chunk for the ledger. -ENOMEM. */
int judge_note_loss(struct store *s, const struct host *host, const struct chunk *c,
		    int64_t received_us) MUST_CHECK;

#endif
