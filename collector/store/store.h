/* The store: what makes a batch durable and puts its lines into the shards. Everything behind this
 * header (streams, WAL, shards, ledger, checkpoint, recovery) is the store's own business.
 *
 *     judge -> place -> log ahead (WAL, group commit) -> answer -> append -> checkpoint
 *
 * Threads: any thread may call; store_submit and its like never wait for the disk. Call-backs come
 * from a thread of the store: they must be short and must not call back into the store except for
 * submission_unref. */
#ifndef HAUL_COLLECTOR_STORE_STORE_H
#define HAUL_COLLECTOR_STORE_STORE_H

#include "collector/store/batch.h"
#include "collector/store/render.h"
#include "common/chunk.h"
#include "common/conf.h"
#include "common/name.h"
#include "common/report.h"
#include "common/uuid.h"

struct store;

struct store_config {
	const char *data_dir;
	uint64_t segment_bytes;    /* a live segment is closed at this size */
	uint64_t checkpoint_bytes; /* of rendered lines between checkpoints; 0: 64 MiB */
	int64_t checkpoint_ns;     /* at most this long between checkpoints with changes; 0: 30 s */
	uint64_t wal_file_bytes;   /* of the log's files when much comes in; 0: 16 MiB */
	struct conf_amount min_free;
	uint64_t host_files;    /* new files that a host may begin in a day; 0: 10,000 */
	int64_t close_after_ns; /* a quiet segment is closed so long after its day; 0: 1 h */
	int64_t clock_ns;       /* the clock is believed in steps of so much; 0: 1 h */
	/* Oldest day that the retention of a service keeps (its max_age); INT32_MIN: all. May be
	 * called from any thread. */
	int32_t (*oldest_day)(void *user, struct span service, int64_t now_us);
	void *user;
};

/* Opens DATA_DIR (made when missing), takes its lock, recovers, checkpoints. Damage never keeps it
 * from opening: what is found is said aloud, set aside under .haul/quarantine and recorded. Errors,
 * with `err`: -EWOULDBLOCK another collector has the directory; -errno of an I/O error. */
int store_open(const struct store_config *config, struct store **ret,
	       struct conf_error *err) MUST_CHECK;

/* Waits for what is in flight, checkpoints, closes. Unanswered submissions are answered first. */
void store_close(struct store *s);

/* The collector's identity, made at the first start: 36 characters. */
const char *store_uuid(const struct store *s);

/* 0 while all is well. After a failed write or sync of WAL, shards or ledger the store takes
 * nothing more (-EIO to every submission): the error, and ret_what says on what. The way back is
 * store_close and store_open. */
int store_failure(struct store *s, char *ret_what, size_t size);

/* How many places of the archive cannot be written, and of the first ret_what says which and why.
 * Only the streams whose lines belong there wait. */
size_t store_blocked(const struct store *s, char *ret_what, size_t size);

/* Can one of them be written again? Then closing and opening the store lets its lines in. May wait
 * for the disk. */
bool store_unblocked(const struct store *s);

/* -ENOSPC when `wal_bytes` of body and `rendered_bytes` of lines would pass min_free, counting what
 * is admitted and not yet written. */
int store_admit(struct store *s, uint64_t wal_bytes, uint64_t rendered_bytes) MUST_CHECK;

/* The terms for chunks of a service received now. */
struct render_terms store_terms(struct store *s, struct span service, int64_t received_us);

/* --- sessions --- */

struct session_request {
	struct span host;
	struct span machine; /* opaque, at most 128 bytes */
	struct span agent;   /* uuid text of Haul-Agent, at most 64 bytes */
	int64_t received_us;
};

/* Opens a session: durable before `done` (result 0 and its number; session numbers grow over all
 * hosts and restarts, and are never used again). Results: -EBUSY another machine's agent has been
 * active under this host within 5 minutes; -EIO the store has failed. The call itself gives 0 when
 * `done` will be called, else -errno and it will not. */
int store_session_open(struct store *s, const struct session_request *request,
		       void (*done)(void *user, int result, uint64_t session),
		       void *user) MUST_CHECK;

/* The host of a session number: 0 and `ret_host`; -ESTALE when a newer session of that host is
 * open; -ENOENT when no such session was ever opened here. */
int store_session_host(struct store *s, uint64_t session,
		       char ret_host[NAME_MAX_LEN + 1]) MUST_CHECK;

/* --- batches --- */

/* Links whatever waits in the store's queues. */
struct store_item {
	struct store_item *next;
	unsigned kind;
	uint64_t lsn; /* of its WAL record; 0: it has none */
};

/* One batch on its way. Made by ingest; from store_submit until `answered` it belongs to the store,
 * and afterwards the memory lives until both sides have let go (lines are appended after the
 * answer). */
struct submission {
	/* by ingest */
	char host[NAME_MAX_LEN + 1];
	uint64_t session;
	struct render_terms *terms; /* one a chunk */
	struct buf gzip_body;       /* as it came: what the WAL keeps */
	struct buf body;            /* inflated: needed until it is rendered */
	struct batch batch;
	struct rendered_chunk *rendered; /* one a chunk; empty for refused ones */
	void (*answered)(struct submission *sub, void *user);
	void *user;
	/* Called by the last submission_unref, when the memory is gone: ingest counts what is in
	 * flight until then. May be NULL; any thread; short, and never back into the store. */
	void (*released)(void *user);
	void *released_user;

	/* by the store, valid in `answered` */
	/* 0; -ESTALE older session; -EDQUOT its host is at a limit; -EIO the store has failed:
	 * nothing was taken then */
	int result;
	const char *beyond;             /* with -EDQUOT: which limit, a static text */
	struct chunk_verdict *verdicts; /* one a chunk, allocated by ingest */

	/* the store's own */
	struct store_item item;
	struct store *store;
	unsigned refs;
	struct order *order;
};

/* A new one has one reference, ingest's; store_submit takes another. The last unref frees
 * everything the submission holds. Thread-safe. NULL when memory is short. */
struct submission *submission_new(void);
void submission_unref(struct submission *sub);

/* Judges all chunks in order under one lock, gives the committed ones their places, queues the WAL
 * record. `answered` comes when everything the verdicts say is durable: also for duplicates and
 * conflicts, which wait for the record that set the number. */
void store_submit(struct store *s, struct submission *sub);

/* --- reading --- */

/* Streams of a host as lines of JSON (stream_row_encode), unfinished ones first, each group by id;
 * those after `after` in that order (NULL: from the beginning), at most `limit`. `done` comes when
 * what they say is durable; `rows` is valid during the call only. */
int store_streams(struct store *s, struct span host, const struct stream_id *after, size_t limit,
		  void (*done)(void *user, int result, struct span rows), void *user) MUST_CHECK;

struct store_counters {
	uint64_t batches, chunks, lines, payload_bytes, wal_bytes, rendered_bytes;
	uint64_t committed, duplicates, conflicts, refused; /* chunks */
	uint64_t losses, lost_bytes;
	uint64_t beyond_limits;  /* batches put off, for their host is at a limit */
	uint64_t blocked_chunks; /* put off, as conflicts, for their place is blocked */
	uint64_t blocked_places; /* now */
	uint64_t wal_syncs, checkpoints;
	double wal_sync_seconds, checkpoint_seconds; /* sums */
	uint64_t streams, shards_open, wal_files;
	uint64_t free_bytes, total_bytes, reserve_bytes; /* of the disk; so much stays free */
	uint64_t queued_submissions, queued_bytes;       /* not yet appended */
	int64_t last_checkpoint_us;
	/* of the last checkpoint whose clock could be believed, also before a restart */
	int64_t sure_clock_us;
};
void store_counters(struct store *s, struct store_counters *ret);

/* One row a host, for status; `each` is called under the store's lock. */
struct store_host {
	struct span host;
	uint64_t session;
	int64_t first_contact_us, last_contact_us;
	uint64_t streams, lines, bytes, lost_bytes;
	double rate;          /* bytes a second, of late */
	struct report report; /* its newest */
	int64_t report_us;    /* when that came; 0: none since the start */
	const char *beyond;   /* the limit that keeps its batches out; NULL: none */
};
void store_hosts(struct store *s, int64_t now_us,
		 void (*each)(void *user, const struct store_host *h), void *user);

/* What the agent of that session says of itself; a session that is over says nothing. */
void store_report(struct store *s, struct span host, uint64_t session, const struct report *report,
		  int64_t received_us);

/* --- the archive, for the janitor --- */

struct segment_row; /* segment.h */
struct tree;        /* tree.h */

/* As long as the store is open. */
const struct tree *store_tree(const struct store *s);

/* Every segment in the ledger, by day, service, host and number; a negative result stops and is
 * returned. Waits for the disk. -errno. */
int store_segments(struct store *s, int (*each)(void *user, const struct segment_row *row),
		   void *user) MUST_CHECK;

/* To segments that were closed before this call nothing will ever be written again, whatever is
 * lost and recovered: their files are then the caller's to seal. -errno. */
int store_settle(struct store *s) MUST_CHECK;

/* Writes rows, or removes them: all or none, durable on return. For segments that are not live.
 * -errno. */
int store_put_segments(struct store *s, const struct segment_row *rows, size_t n) MUST_CHECK;
int store_remove_segments(struct store *s, const struct segment_row *rows, size_t n) MUST_CHECK;

/* Makes a checkpoint now and waits for it. */
int store_checkpoint(struct store *s) MUST_CHECK;

#endif
