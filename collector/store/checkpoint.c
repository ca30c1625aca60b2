/* The checkpoint thread: brings the ledger up to the WAL. See core.h for its calls.
 *
 *     prepare the next WAL file
 *     under the lock: copy the rows that changed, decide which segments to close, put a mark in the queue
 *     wait until the append thread has passed the mark: everything up to LSN X stands in the files
 *     sync the files that changed, and their directories
 *     one transaction: rows as of X, and X
 *     now and then: a copy of the ledger, beside the WAL and for readers
 *     drop the WAL files that neither the ledger nor the copy needs, or keep them as next ones
 *
 * The mark makes it exact: rows copied and bytes appended are both those of the records up to X,
 * whatever comes in meanwhile. Nothing in the ledger is ever ahead of what is durable in the files.
 *
 * The copy (.haul/wal/snapshot.db) is what a lost ledger is rebuilt from: all WAL records since it
 * are kept. It is written off the path of answers and only when it is worth it. The same file, by
 * another name (.haul/ledger-export.db), is what readers open.
 *
 * What can go wrong:
 *   syncing fails                   the store fails; the ledger stays at the LSN before, recovery writes
 *                                   the lines again
 *   no room for the transaction     the rows are kept and go with the next one; the WAL stays
 *   no room for the copy            the old copy is dropped, and the WAL goes by the ledger alone until
 *                                   there is room
 *   a crash anywhere                the ledger is as of one mark or the next; segments that were renamed
 *                                   in between are known by their names and inodes */
#include "collector/store/core.h"
#include "collector/store/forget.h"
#include "collector/store/rows.h"
#include "collector/store/segment_sync.h"
#include "collector/store/snapshot.h"
#include "collector/store/sure_clock.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/num.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DEFAULT_BYTES    (UINT64_C(64) << 20)
#define DEFAULT_NS       (30 * NUM_SEC_NS)
#define DEFAULT_CLOSE_NS (3600 * NUM_SEC_NS)
#define DEFAULT_CLOCK_NS (NUM_DAY_SEC / 24 * NUM_SEC_NS)
/* Before the first one went through nothing is taken: it is tried again sooner. */
#define FIRST_NS (3 * NUM_SEC_NS)

/* A checkpoint that bytes ask for keeps so many times its own duration away from the last one, so
 * that it never takes more than that share of the disk; but the WAL does not grow beyond so many
 * times the bytes for it. */
#define PACE       5
#define PACE_LIMIT 8

/* A late line now and then does not keep a segment of a day that is over open for longer. */
#define QUIET_MAX_NS (15 * 60 * NUM_SEC_NS)

struct checkpointer {
	pthread_t thread;
	/* the thread's own */
	struct rows *unwritten; /* the oldest first */
	uint64_t ledger_lsn;
	int64_t start_mono_ns;
	int64_t sure_clock_us,
		clock_mono_ns; /* what is known of the clock, and when it was asked */
	struct snapshot snapshot;
	int64_t duration_ns; /* of the last one */
	struct log_gate room_gate, copy_gate;

	/* guarded by the store's lock */
	pthread_cond_t wake;
	uint64_t bytes; /* rendered since the last mark */
	int64_t last_mono_ns;
	uint64_t last_lsn;    /* of the last mark */
	uint64_t asked, done; /* explicit ones */
	int result;           /* of the last one */
	bool segment_full, stop;
};

/* --- closing segments --- */

static bool is_over(const struct store *s, const struct shard *shard, int64_t now_us,
		    int64_t mono_ns)
{
	int64_t end_us = (shard->day + INT64_C(1)) * NUM_DAY_US;
	int64_t quiet_ns =
		s->config.close_after_ns < QUIET_MAX_NS ? s->config.close_after_ns : QUIET_MAX_NS;
	return now_us - end_us >= s->config.close_after_ns / NUM_US_NS &&
	       mono_ns - shard->last_mono_ns >= quiet_ns;
}

static bool is_due(const struct store *s, const struct shard *shard, int64_t now_us,
		   int64_t mono_ns)
{
	return shard->next.position >= s->config.segment_bytes ||
	       is_over(s, shard, now_us, mono_ns);
}

/* With the lock held. Without memory fewer are closed: the next checkpoint closes the others. */
static void close_due(struct store *s, struct mark *mark)
{
	int64_t now_us = clock_real_ns() / NUM_US_NS, mono_ns = clock_mono_ns();
	size_t capacity = 0;
	for (struct list_node *l = list_first(&s->shards.live), *next; l; l = next) {
		next = list_next(&s->shards.live, l);
		struct shard *shard = LIST_ENTRY(l, struct shard, live);
		if (!is_due(s, shard, now_us, mono_ns))
			continue;
		if (mark->n_closings == capacity) {
			capacity = capacity ? capacity * 2 : 16;
			struct closing *more = realloc(mark->closings, capacity * sizeof(*more));
			if (!more)
				return;
			mark->closings = more;
		}
		mark->closings[mark->n_closings++] =
			(struct closing){.shard = shard, .number = shard->next.number};
		shard_close(shard);
	}
}

static bool any_due(const struct store *s)
{
	int64_t now_us = clock_real_ns() / NUM_US_NS, mono_ns = clock_mono_ns();
	for (struct list_node *l = list_first(&s->shards.live); l;
	     l = list_next(&s->shards.live, l))
		if (is_due(s, LIST_ENTRY(l, struct shard, live), now_us, mono_ns))
			return true;
	return false;
}

/* --- the transaction --- */

static int write_ledger(struct store *s)
{
	struct rows *last = s->checkpointer->unwritten;
	int r = ledger_begin(s->ledger);
	for (struct rows *rows = last; r == 0 && rows; rows = rows->next) {
		r = rows_put(rows, s->ledger);
		last = rows;
	}
	if (r == 0)
		return ledger_commit(s->ledger, &last->meta);
	ledger_rollback(s->ledger);
	return r;
}

static void forget_written(struct checkpointer *c)
{
	while (c->unwritten) {
		struct rows *rows = c->unwritten;
		c->unwritten = rows->next;
		c->ledger_lsn = rows->meta.lsn;
		rows_free(rows);
	}
}

/* 0 also when the rows have to wait. */
static int commit_rows(struct store *s)
{
	struct checkpointer *c = s->checkpointer;
	int r = write_ledger(s);
	if (r == -ENOSPC && room_drop_ballast(&s->tree))
		r = write_ledger(s);
	if (r == -ENOSPC || r == -EBUSY || r == -ENOMEM) {
		log_gated(&c->room_gate, LOG_LEVEL_ERROR,
			  "%s/%s: %s; the WAL keeps what it would say, the next checkpoint tries "
			  "again",
			  s->data_dir, LEDGER_PATH, strerror(-r));
		return r;
	}
	if (r < 0) {
		store_fail(s, r, "%s/%s: cannot be written", s->data_dir, LEDGER_PATH);
		return r;
	}
	log_gate_clear(&c->room_gate, "%s/%s: written again", s->data_dir, LEDGER_PATH);
	forget_written(c);
	return 0;
}

/* --- one checkpoint --- */

static void keep_copy(struct store *s, bool last)
{
	struct checkpointer *c = s->checkpointer;
	if (!snapshot_due(&c->snapshot, s, c->ledger_lsn, last))
		return;
	int r = snapshot_make(&c->snapshot, s, c->ledger_lsn);
	if (r < 0)
		log_gated(&c->copy_gate, LOG_LEVEL_WARNING,
			  "%s/%s: no copy of the ledger: %s; it has none until the next checkpoint",
			  s->data_dir, LEDGER_PATH, strerror(-r));
	else
		log_gate_clear(&c->copy_gate, "%s/%s: copied again", s->data_dir, LEDGER_PATH);
}

static void drop_wal(struct store *s, bool last)
{
	const struct checkpointer *c = s->checkpointer;
	bool reuse = !last && room_check(&s->room, s->config.checkpoint_bytes) == 0;
	uint64_t lsn = c->snapshot.lsn && c->snapshot.lsn < c->ledger_lsn ? c->snapshot.lsn
									  : c->ledger_lsn;
	int r = wal_files_drop(s->wal_files, lsn, reuse);
	if (r < 0)
		log_warning("%s/%s: cannot remove an old file: %s; it stays", s->data_dir, TREE_WAL,
			    strerror(-r));
}

/* Puts the mark into the queue with the rows of that moment. */
static int set_mark(struct store *s, struct mark *mark, struct rows **ret)
{
	struct checkpointer *c = s->checkpointer;
	struct forget_list *old = NULL;
	(void)!forget_choose(s, &old); /* without memory the next checkpoint does */
	(void)pthread_mutex_lock(&s->lock);
	forget_take(s, old);
	int r = s->failure ? -EIO : rows_take(s, ret);
	if (r == 0) {
		close_due(s, mark);
		mark->lsn = c->last_lsn = s->lsn;
		c->bytes = 0;
		c->segment_full = false;
		c->last_mono_ns = clock_mono_ns();
		store_enqueue(s, &mark->item, ITEM_MARK, false);
	}
	(void)pthread_mutex_unlock(&s->lock);
	forget_free(old);
	return r;
}

static void await_mark(struct store *s, const struct mark *mark)
{
	(void)pthread_mutex_lock(&s->lock);
	while (!mark->passed)
		(void)pthread_cond_wait(&s->progress, &s->lock);
	(void)pthread_mutex_unlock(&s->lock);
}

static void add_unwritten(struct checkpointer *c, struct rows *rows)
{
	struct rows **end = &c->unwritten;
	while (*end)
		end = &(*end)->next;
	*end = rows;
}

static int mark_and_sync(struct store *s)
{
	struct mark mark = {0};
	struct rows *rows = NULL;
	int r = wal_files_prepare(s->wal_files);
	if (r < 0)
		log_warning("%s/%s: no new file: %s; the log goes on in the one at hand",
			    s->data_dir, TREE_WAL, strerror(-r));
	r = set_mark(s, &mark, &rows);
	if (r < 0)
		return r;
	await_mark(s, &mark);
	free(mark.closings);
	rows->report = mark.report;
	r = mark.reached ? segment_sync(&s->tree, &rows->report) : -EIO;
	if (r < 0) {
		rows_free(rows);
		store_fail(s, r, "%s: cannot sync the files of the archive", s->data_dir);
		return r;
	}
	add_unwritten(s->checkpointer, rows);
	return 0;
}

/* What the clock says is believed in small steps: without lines there are no checkpoints, and one
 * step of days would not be. */
static void keep_clock(struct store *s)
{
	struct checkpointer *c = s->checkpointer;
	c->clock_mono_ns = clock_mono_ns();
	c->sure_clock_us = sure_clock_next(&s->tree, c->sure_clock_us, clock_real_ns() / NUM_US_NS,
					   c->clock_mono_ns - c->start_mono_ns);
	(void)pthread_mutex_lock(&s->lock);
	s->counters.sure_clock_us = c->sure_clock_us;
	(void)pthread_mutex_unlock(&s->lock);
}

static int run_once(struct store *s, bool last)
{
	int64_t start_ns = clock_mono_ns();
	int r = mark_and_sync(s);
	(void)pthread_mutex_lock(&s->ledger_lock);
	if (r == 0)
		r = commit_rows(s);
	if (r == 0) {
		keep_copy(s, last);
		drop_wal(s, last);
		room_make_ballast(&s->room);
	}
	(void)pthread_mutex_unlock(&s->ledger_lock);
	if (r == 0)
		keep_clock(s);
	int64_t ns = clock_mono_ns() - start_ns;
	s->checkpointer->duration_ns = ns;
	(void)pthread_mutex_lock(&s->lock);
	s->counters.checkpoints += r == 0;
	s->counters.checkpoint_seconds += (double)ns / (double)NUM_SEC_NS;
	if (r == 0)
		s->counters.last_checkpoint_us = clock_real_ns() / NUM_US_NS;
	(void)pthread_mutex_unlock(&s->lock);
	return r;
}

/* --- the thread --- */

/* With the lock held. */
static int64_t interval(const struct store *s)
{
	bool first = s->counters.checkpoints == 0 && s->config.checkpoint_ns > FIRST_NS;
	return first ? FIRST_NS : s->config.checkpoint_ns;
}

/* With the lock held. */
static bool due(const struct store *s, int64_t since_ns)
{
	const struct checkpointer *c = s->checkpointer;
	if (c->asked != c->done || c->stop)
		return true;
	if (s->failure)
		return false;
	bool full = c->bytes >= s->config.checkpoint_bytes || c->segment_full;
	if (full && (since_ns >= PACE * c->duration_ns ||
		     c->bytes >= PACE_LIMIT * s->config.checkpoint_bytes))
		return true;
	return since_ns >= interval(s) && (s->lsn != c->last_lsn || c->unwritten || any_due(s));
}

/* With the lock held. Until when it is worth sleeping. False: only the clock is to be kept. */
static bool sleep_until_due(struct store *s)
{
	struct checkpointer *c = s->checkpointer;
	int64_t now_ns = clock_mono_ns();
	while (!due(s, now_ns - c->last_mono_ns)) {
		if (!s->failure && now_ns - c->clock_mono_ns >= s->config.clock_ns)
			return false;
		int64_t at = c->last_mono_ns + interval(s);
		if (c->bytes >= s->config.checkpoint_bytes || c->segment_full)
			at = c->last_mono_ns + PACE * c->duration_ns;
		if (at <= now_ns) /* nothing has changed */
			at = now_ns + interval(s);
		int64_t clock_at = c->clock_mono_ns + s->config.clock_ns;
		if (!s->failure && clock_at < at)
			at = clock_at;
		struct timespec until = {.tv_sec = at / NUM_SEC_NS, .tv_nsec = at % NUM_SEC_NS};
		(void)pthread_cond_timedwait(&c->wake, &s->lock, &until);
		now_ns = clock_mono_ns();
	}
	return true;
}

static void *run(void *arg)
{
	struct store *s = arg;
	struct checkpointer *c = s->checkpointer;
	bool stop = false;
	(void)pthread_setname_np(pthread_self(), "checkpoint");
	while (!stop) {
		(void)pthread_mutex_lock(&s->lock);
		if (!sleep_until_due(s)) {
			(void)pthread_mutex_unlock(&s->lock);
			keep_clock(s);
			continue;
		}
		uint64_t asked = c->asked;
		stop = c->stop;
		c->last_mono_ns = clock_mono_ns(); /* also when it fails */
		(void)pthread_mutex_unlock(&s->lock);
		int r = run_once(s, stop);
		(void)pthread_mutex_lock(&s->lock);
		c->done = asked;
		c->result = r;
		(void)pthread_cond_broadcast(&s->progress);
		(void)pthread_mutex_unlock(&s->lock);
	}
	return NULL;
}

int checkpoint_start(struct store *s, uint64_t ledger_lsn)
{
	if (s->config.checkpoint_bytes == 0)
		s->config.checkpoint_bytes = DEFAULT_BYTES;
	if (s->config.checkpoint_ns == 0)
		s->config.checkpoint_ns = DEFAULT_NS;
	if (s->config.close_after_ns == 0)
		s->config.close_after_ns = DEFAULT_CLOSE_NS;
	if (s->config.clock_ns == 0)
		s->config.clock_ns = DEFAULT_CLOCK_NS;
	struct checkpointer *c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->ledger_lsn = ledger_lsn;
	c->last_mono_ns = c->start_mono_ns = c->clock_mono_ns = clock_mono_ns();
	c->sure_clock_us = s->counters.sure_clock_us = sure_clock_read(&s->tree);
	cond_init(&c->wake);
	s->checkpointer = c;
	int r = pthread_create(&c->thread, NULL, run, s);
	if (r) {
		s->checkpointer = NULL;
		(void)pthread_cond_destroy(&c->wake);
		free(c);
	}
	return -r;
}

void checkpoint_stop(struct store *s)
{
	struct checkpointer *c = s->checkpointer;
	if (!c)
		return;
	(void)pthread_mutex_lock(&s->lock);
	c->stop = true;
	(void)pthread_cond_signal(&c->wake);
	(void)pthread_mutex_unlock(&s->lock);
	(void)pthread_join(c->thread, NULL);
	s->checkpointer = NULL;
	while (c->unwritten) {
		struct rows *rows = c->unwritten;
		c->unwritten = rows->next;
		rows_free(rows);
	}
	(void)pthread_cond_destroy(&c->wake);
	free(c);
}

void checkpoint_note(struct store *s, uint64_t rendered_bytes, bool segment_full)
{
	struct checkpointer *c = s->checkpointer;
	bool was = c->bytes >= s->config.checkpoint_bytes || c->segment_full;
	c->bytes += rendered_bytes;
	c->segment_full |= segment_full;
	bool is = c->bytes >= s->config.checkpoint_bytes || c->segment_full;
	if ((is && !was) || c->bytes >= PACE_LIMIT * s->config.checkpoint_bytes)
		(void)pthread_cond_signal(&c->wake);
}

int checkpoint_now(struct store *s)
{
	struct checkpointer *c = s->checkpointer;
	(void)pthread_mutex_lock(&s->lock);
	uint64_t mine = ++c->asked;
	(void)pthread_cond_signal(&c->wake);
	while (c->done < mine)
		(void)pthread_cond_wait(&s->progress, &s->lock);
	int r = c->result;
	(void)pthread_mutex_unlock(&s->lock);
	return r;
}

void checkpoint_outdate(struct store *s)
{
	s->checkpointer->snapshot.old = true;
}

int checkpoint_settle(struct store *s)
{
	struct checkpointer *c = s->checkpointer;
	struct stat st;
	if (c->snapshot.lsn == c->ledger_lsn && !c->snapshot.old)
		return 0;
	int r = snapshot_make(&c->snapshot, s, c->ledger_lsn);
	return r < 0 && tree_stat(&s->tree, SNAPSHOT_PATH, &st) == -ENOENT ? 0 : r;
}
