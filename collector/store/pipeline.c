/* The two threads behind the queue.
 *
 *     WAL thread      takes what waits -> one write -> one sync -> answers, in order -> hands over
 *     append thread   takes what is durable -> queues lines by shard -> one write a shard -> lets go
 *
 * While one group is being synced the next one gathers: that is the group commit. A mark (of a
 * checkpoint) ends a group; the WAL thread goes over to the next file there, and the append thread reports
 * when everything before the mark stands in the files.
 *
 * What can go wrong:
 *   no room for the WAL    nothing is answered; the same group is tried again until there is room. New
 *                          batches are not admitted meanwhile.
 *   no room for lines      likewise; the lines are safe in the WAL
 *   any other error        the store has failed: everything that is not yet answered is answered -EIO,
 *                          nothing more is taken, nothing is tried again on these descriptors. What was
 *                          answered is in the WAL; closing and opening again recovers it. */
#include "collector/store/core.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/num.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* One write to the WAL holds at most so much, and one more record. */
#define GROUP_BYTES (UINT64_C(4) << 20)

/* One round of appending holds at most so much, and one more batch. */
#define ROUND_BYTES (UINT64_C(16) << 20)

static const int64_t FULL_PAUSE_NS = 200 * NUM_MS_NS;
static const int64_t TICK_NS = NUM_SEC_NS;

void cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(cond, &attr);
	(void)pthread_condattr_destroy(&attr);
}

/* --- queues --- */

void queue_init(struct queue *q)
{
	q->first = NULL;
	q->end = &q->first;
}

void queue_add(struct queue *q, struct store_item *item)
{
	item->next = NULL;
	*q->end = item;
	q->end = &item->next;
}

struct store_item *queue_take(struct queue *q)
{
	struct store_item *first = q->first;
	queue_init(q);
	return first;
}

void store_enqueue(struct store *s, struct store_item *item, enum item_kind kind, bool record)
{
	item->kind = kind;
	item->lsn = record ? ++s->lsn : 0;
	if (!s->queue.first)
		(void)pthread_cond_signal(&s->queued);
	queue_add(&s->queue, item);
}

/* --- failure --- */

void store_fail(struct store *s, int error, const char *fmt, ...)
{
	char what[sizeof(s->failure_what)];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	(void)pthread_mutex_lock(&s->lock);
	bool first = s->failure == 0;
	if (first) {
		s->failure = error;
		memcpy(s->failure_what, what, sizeof(what));
	}
	(void)pthread_cond_broadcast(&s->progress);
	(void)pthread_cond_broadcast(&s->appendable);
	(void)pthread_cond_broadcast(&s->queued);
	(void)pthread_mutex_unlock(&s->lock);
	if (first)
		log_error("%s: %s; nothing more is acknowledged until the store is opened again",
			  what, strerror(-error));
}

static int failure(struct store *s)
{
	(void)pthread_mutex_lock(&s->lock);
	int r = s->failure;
	(void)pthread_mutex_unlock(&s->lock);
	return r;
}

/* With the lock held: waits for the condition, at most so long. */
static void wait_for(struct store *s, pthread_cond_t *cond, int64_t ns)
{
	int64_t at = clock_mono_ns() + ns;
	struct timespec until = {.tv_sec = at / NUM_SEC_NS, .tv_nsec = at % NUM_SEC_NS};
	(void)pthread_cond_timedwait(cond, &s->lock, &until);
}

/* No room on the disk. True: try again; false: the store is being closed or has failed. */
static bool wait_for_room(struct store *s)
{
	(void)room_drop_ballast(&s->tree);
	(void)!wal_files_drop(s->wal_files, 0, false);
	(void)pthread_mutex_lock(&s->lock);
	if (s->failure == 0 && !s->closing)
		wait_for(s, &s->progress, FULL_PAUSE_NS);
	bool again = s->failure == 0 && !s->closing;
	(void)pthread_mutex_unlock(&s->lock);
	return again;
}

static bool is_full(int r)
{
	return r == -ENOSPC || r == -EDQUOT;
}

/* --- records --- */

static struct submission *submission_of(struct store_item *item)
{
	return (struct submission *)(void *)((char *)item - offsetof(struct submission, item));
}

static int encode_chunk(const struct submission *sub, size_t i, const struct order_lines *lines,
			struct walrecord_lines **scratch, size_t *capacity, struct buf *out)
{
	const struct order_chunk *o = &sub->order->chunks[i];
	if (o->n_lines > *capacity) {
		struct walrecord_lines *more = realloc(*scratch, o->n_lines * sizeof(*more));
		if (!more)
			return -ENOMEM;
		*scratch = more;
		*capacity = o->n_lines;
	}
	for (size_t k = 0; k < o->n_lines; k++) {
		const struct rendered *r = lines[k].rendered;
		(*scratch)[k] = (struct walrecord_lines){.day = r->day,
							 .place = lines[k].place,
							 .length = r->bytes.len,
							 .crc = r->crc,
							 .lines = r->lines,
							 .first_us = r->first_us,
							 .last_us = r->last_us};
	}
	struct walrecord_chunk c = {.index = (uint32_t)i,
				    .how = o->how,
				    .identity = o->identity,
				    .header = sub->batch.chunks[i].header,
				    .terms = sub->terms[i],
				    .n_lines = o->n_lines,
				    .lines = *scratch};
	return walrecord_add_chunk(&c, out);
}

static int encode_batch(const struct submission *sub, struct buf *out)
{
	const struct order *o = sub->order;
	struct walrecord_batch head = {.host = span_of(sub->host),
				       .session = sub->session,
				       .inflated = sub->batch.body_bytes,
				       .n_chunks = o->n_taken};
	int r = walrecord_begin_batch(&head, o->n_lines, out);
	struct walrecord_lines *scratch = NULL;
	size_t capacity = 0, line = 0;
	for (size_t i = 0; r == 0 && i < sub->batch.n_chunks; i++) {
		if (!stream_taken(o->chunks[i].how))
			continue;
		r = encode_chunk(sub, i, o->lines + line, &scratch, &capacity, out);
		line += o->chunks[i].n_lines;
	}
	free(scratch);
	return r;
}

static int encode_move(const struct move_item *m, struct buf *out)
{
	struct walrecord_move record = {.day = m->shard->day,
					.service = shard_service(m->shard),
					.host = shard_host(m->shard),
					.move = m->move};
	return walrecord_encode_move(&record, out);
}

/* Appends the item's meta, and says which record it is and what body it has. */
static int encode(struct store_item *item, struct buf *out, enum walrecord_type *ret_type,
		  struct span *ret_body, uint64_t *ret_crc)
{
	*ret_body = (struct span){0};
	*ret_crc = 0;
	switch ((enum item_kind)item->kind) {
	case ITEM_BATCH:
		*ret_type = WALRECORD_BATCH;
		*ret_body = buf_span(&submission_of(item)->gzip_body);
		*ret_crc = submission_of(item)->order->body_crc;
		return encode_batch(submission_of(item), out);
	case ITEM_SESSION:
		*ret_type = WALRECORD_SESSION;
		return walrecord_encode_session(&((struct session_item *)item)->session, out);
	case ITEM_MOVE:
		*ret_type = WALRECORD_MOVE;
		return encode_move((struct move_item *)item, out);
	case ITEM_ROWS:
	case ITEM_MARK: break;
	}
	abort();
}

static int add_to_group(struct wal_group *g, struct store_item *item)
{
	int r = wal_group_begin(g);
	if (r < 0)
		return r;
	enum walrecord_type type;
	struct span body;
	uint64_t crc;
	r = encode(item, &g->bytes, &type, &body, &crc);
	if (r < 0)
		wal_group_abort(g);
	else
		r = wal_group_end(g, (uint8_t)type, item->lsn, body, crc);
	return r;
}

/* --- answers --- */

/* What is let go of, by whoever has had it last. */
static void release_batch(struct store *s, struct submission *sub)
{
	uint64_t bytes = sub->order ? sub->order->bytes : 0;
	room_fulfil(&s->room, bytes);
	(void)pthread_mutex_lock(&s->lock);
	s->counters.queued_submissions--;
	s->counters.queued_bytes -= bytes;
	(void)pthread_mutex_unlock(&s->lock);
	submission_unref(sub);
}

/* True when the item goes on to the append thread. */
static bool answer(struct store *s, struct store_item *item, int error)
{
	switch ((enum item_kind)item->kind) {
	case ITEM_BATCH: {
		struct submission *sub = submission_of(item);
		if (error)
			sub->result = -EIO;
		sub->answered(sub, sub->user);
		if (item->lsn && !error)
			return true;
		release_batch(s, sub);
		return false;
	}
	case ITEM_SESSION: {
		struct session_item *session = (struct session_item *)item;
		session->done(session->user, error ? -EIO : session->result,
			      session->session.number);
		free(session);
		return false;
	}
	case ITEM_ROWS: {
		struct rows_item *rows = (struct rows_item *)item;
		if (error)
			buf_clear(&rows->rows);
		rows->done(rows->user, error ? -EIO : 0, buf_span(&rows->rows));
		buf_free(&rows->rows);
		free(rows);
		return false;
	}
	case ITEM_MOVE: free(item); return false;
	case ITEM_MARK: return true;
	}
	abort();
}

static uint64_t bytes_to_append(const struct store_item *item)
{
	if (item->kind != ITEM_BATCH)
		return 0;
	const struct submission *sub = submission_of((struct store_item *)item);
	return sub->order->bytes - sub->gzip_body.len;
}

/* Answers the items from `item` up to `end` and hands over what is to be appended. */
static void settle(struct store *s, struct store_item *item, struct store_item *end, int error,
		   uint64_t durable_lsn)
{
	if (durable_lsn && !error) {
		(void)pthread_mutex_lock(&s->lock);
		s->durable_lsn = durable_lsn;
		(void)pthread_cond_broadcast(&s->progress);
		(void)pthread_mutex_unlock(&s->lock);
	}
	struct queue on;
	queue_init(&on);
	uint64_t bytes = 0;
	while (item != end) {
		struct store_item *next = item->next;
		if (answer(s, item, error)) {
			bytes += bytes_to_append(item);
			queue_add(&on, item);
		}
		item = next;
	}
	if (!on.first)
		return;
	(void)pthread_mutex_lock(&s->lock);
	*s->append_queue.end = on.first;
	s->append_queue.end = on.end;
	s->append_bytes += bytes;
	(void)pthread_cond_signal(&s->appendable);
	(void)pthread_mutex_unlock(&s->lock);
}

/* --- the WAL thread --- */

static int write_group(struct store *s, struct wal_group *g)
{
	int r;
	struct log_gate gate = {0};
	while ((r = wal_write(s->wal, g)) < 0 && (is_full(r) || r == -ENOMEM)) {
		log_gated(&gate, LOG_LEVEL_ERROR, "WAL: %s; batches wait until there is room",
			  strerror(-r));
		if (!wait_for_room(s))
			return r;
	}
	log_gate_clear(&gate, "WAL: there is room again");
	return r;
}

static int sync_group(struct store *s, uint64_t lsn)
{
	int64_t start_ns = clock_mono_ns();
	int r = wal_sync(s->wal, lsn);
	double seconds = (double)(clock_mono_ns() - start_ns) / (double)NUM_SEC_NS;
	(void)pthread_mutex_lock(&s->lock);
	s->counters.wal_syncs++;
	s->counters.wal_sync_seconds += seconds;
	(void)pthread_mutex_unlock(&s->lock);
	return r;
}

/* Takes items into the group as long as they fit; *item is then the first that is not in it. A mark is
 * the last of its group. */
static int gather(struct wal_group *g, struct store_item **item, uint64_t *ret_lsn,
		  struct mark **ret_mark)
{
	wal_group_clear(g);
	*ret_lsn = 0;
	*ret_mark = NULL;
	while (*item && !*ret_mark && g->size < GROUP_BYTES) {
		if ((*item)->kind == ITEM_MARK)
			*ret_mark = (struct mark *)*item;
		if ((*item)->lsn) {
			int r = add_to_group(g, *item);
			if (r < 0)
				return *ret_lsn ? 0 : r;
			*ret_lsn = (*item)->lsn;
		}
		*item = (*item)->next;
	}
	return 0;
}

/* One group, from gathering to answers. Returns the first item that is still to be done. */
static struct store_item *commit_group(struct store *s, struct wal_group *g,
				       struct store_item *first)
{
	struct store_item *end = first;
	uint64_t lsn;
	struct mark *mark;
	int error = failure(s);
	if (error) {
		settle(s, first, NULL, error, 0);
		return NULL;
	}
	int r = gather(g, &end, &lsn, &mark);
	if (r == 0 && lsn) {
		r = write_group(s, g);
		if (r == 0)
			r = sync_group(s, lsn);
	}
	if (r < 0) {
		store_fail(s, r, "%s/%s: cannot write or sync the log", s->data_dir, TREE_WAL);
		return first;
	}
	if (mark)
		wal_switch(s->wal, mark->lsn + 1);
	if (lsn) {
		(void)pthread_mutex_lock(&s->lock);
		s->counters.wal_bytes += g->size;
		(void)pthread_mutex_unlock(&s->lock);
	}
	settle(s, first, end, 0, lsn);
	return end;
}

static void *run_wal(void *arg)
{
	struct store *s = arg;
	struct wal_group group = {0};
	(void)pthread_mutex_lock(&s->lock);
	for (;;) {
		while (!s->queue.first && !s->wal_stop)
			(void)pthread_cond_wait(&s->queued, &s->lock);
		/* The append thread is behind: agents are to wait, memory is not to grow. It must not
		 * be waited for while it waits for us. */
		while (s->append_bytes > STORE_APPEND_QUEUE_BYTES && !s->append_waits &&
		       !s->failure && !s->wal_stop)
			(void)pthread_cond_wait(&s->progress, &s->lock);
		struct store_item *item = queue_take(&s->queue);
		if (!item && s->wal_stop)
			break;
		(void)pthread_mutex_unlock(&s->lock);
		while (item)
			item = commit_group(s, &group, item);
		(void)pthread_mutex_lock(&s->lock);
	}
	(void)pthread_mutex_unlock(&s->lock);
	wal_group_free(&group);
	return NULL;
}

/* --- the append thread --- */

/* Remembers that the shard has moves, which nobody needs behind the next mark. */
static int note_moved(struct store *s, struct shard *shard)
{
	struct shard **moved = realloc(s->moved, (s->n_moved + 1) * sizeof(struct shard *));
	if (!moved)
		return -ENOMEM;
	s->moved = moved;
	moved[s->n_moved++] = shard;
	return 0;
}

static void forget_moves(struct store *s)
{
	for (size_t i = 0; i < s->n_moved; i++)
		shard_forget_moves(s->moved[i]);
	s->n_moved = 0;
}

/* appender_move: with the lock the shard turns to a new segment, then the record must be durable. */
static int move(void *user, struct shard *shard, struct place from, bool gone, uint32_t *ret_number)
{
	struct store *s = user;
	struct move_item *items[2] = {malloc(sizeof(*items[0])), malloc(sizeof(*items[1]))};
	(void)pthread_mutex_lock(&s->lock);
	int n = items[0] && items[1] ? note_moved(s, shard) : -ENOMEM;
	if (n == 0)
		n = shard_move(&s->shards, shard, from, gone);
	assert(n <= 2);
	for (int i = 0; i < n; i++) {
		items[i]->shard = shard;
		items[i]->move = shard->moves[shard->n_moves - (size_t)n + (size_t)i];
		store_enqueue(s, &items[i]->item, ITEM_MOVE, true);
		items[i] = NULL;
	}
	uint64_t lsn = s->lsn;
	if (n > 0)
		*ret_number = shard->next.number;
	s->append_waits = true;
	(void)pthread_cond_broadcast(&s->progress);
	while (n > 0 && s->durable_lsn < lsn && !s->failure)
		(void)pthread_cond_wait(&s->progress, &s->lock);
	s->append_waits = false;
	int r = n < 0 ? n : s->durable_lsn < lsn ? -EIO : 0;
	(void)pthread_mutex_unlock(&s->lock);
	free(items[0]);
	free(items[1]);
	return r;
}

/* Files: `r` is what an appender call gave. True: call it again. */
static bool append_again(struct store *s, int r, struct log_gate *gate)
{
	if (!is_full(r))
		return false;
	log_gated(gate, LOG_LEVEL_ERROR, "%s: %s; lines wait in the WAL until there is room",
		  s->data_dir, strerror(-r));
	return wait_for_room(s);
}

static int flush(struct store *s)
{
	struct log_gate gate = {0};
	int r;
	do
		r = appender_flush(&s->appender);
	while (append_again(s, r, &gate));
	log_gate_clear(&gate, "%s: there is room again", s->data_dir);
	return r;
}

static int queue_lines(struct store *s, const struct submission *sub)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < sub->order->n_lines; i++) {
		const struct order_lines *l = &sub->order->lines[i];
		struct segment_lines lines = {.bytes = buf_span(&l->rendered->bytes),
					      .lines = l->rendered->lines,
					      .first_us = l->rendered->first_us,
					      .last_us = l->rendered->last_us};
		r = appender_queue(&s->appender, l->shard, shard_resolve(l->shard, l->place),
				   &lines);
	}
	return r;
}

static int close_segments(struct store *s, const struct mark *mark)
{
	struct log_gate gate = {0};
	int r = 0;
	for (size_t i = 0; r == 0 && i < mark->n_closings; i++) {
		const struct closing *c = &mark->closings[i];
		do
			r = appender_close(&s->appender, c->shard, c->number);
		while (append_again(s, r, &gate));
	}
	return r;
}

static int reach_mark(struct store *s, struct mark *mark)
{
	int r = close_segments(s, mark);
	if (r == 0)
		r = appender_report(&s->appender, &mark->report);
	mark->reached = r == 0;
	forget_moves(s);
	return r;
}

static void let_go(struct store *s, struct store_item *item, const struct store_item *end)
{
	uint64_t bytes = 0;
	struct mark *mark = NULL;
	while (item != end) {
		struct store_item *next = item->next;
		bytes += bytes_to_append(item);
		if (item->kind == ITEM_BATCH)
			release_batch(s, submission_of(item));
		else
			mark = (struct mark *)item; /* the only one: see checkpoint.c */
		item = next;
	}
	(void)pthread_mutex_lock(&s->lock);
	s->append_bytes -= bytes;
	if (mark)
		mark->passed = true;
	(void)pthread_cond_broadcast(&s->progress);
	(void)pthread_mutex_unlock(&s->lock);
}

/* One round: up to a mark, or so many bytes. Returns the first item that is still to be done. */
static struct store_item *append_round(struct store *s, struct store_item *first)
{
	uint64_t bytes = 0;
	struct mark *mark = NULL;
	struct store_item *end = first;
	int r = failure(s);
	for (; r == 0 && end && !mark && bytes < ROUND_BYTES; end = end->next) {
		if (end->kind == ITEM_MARK) {
			mark = (struct mark *)end;
		} else {
			bytes += bytes_to_append(end);
			r = queue_lines(s, submission_of(end));
		}
	}
	if (r == 0)
		r = flush(s);
	if (r == 0 && mark)
		r = reach_mark(s, mark);
	if (r < 0) {
		store_fail(s, r, "%s: cannot append lines", s->data_dir);
		end = NULL;
	}
	let_go(s, first, end);
	return end;
}

static void *run_append(void *arg)
{
	struct store *s = arg;
	(void)pthread_mutex_lock(&s->lock);
	for (;;) {
		if (!s->append_queue.first && !s->append_stop)
			wait_for(s, &s->appendable, TICK_NS);
		struct store_item *item = queue_take(&s->append_queue);
		if (!item && s->append_stop)
			break;
		(void)pthread_mutex_unlock(&s->lock);
		while (item)
			item = append_round(s, item);
		appender_tick(&s->appender);
		(void)pthread_mutex_lock(&s->lock);
	}
	(void)pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* --- both --- */

int pipeline_start(struct store *s)
{
	s->appender.move = move;
	s->appender.user = s;
	int r = pthread_create(&s->wal_thread, NULL, run_wal, s);
	if (r)
		return -r;
	r = pthread_create(&s->append_thread, NULL, run_append, s);
	s->threads_run = true;
	if (r) {
		s->append_thread = s->wal_thread;
		(void)pthread_mutex_lock(&s->lock);
		s->wal_stop = true;
		(void)pthread_cond_signal(&s->queued);
		(void)pthread_mutex_unlock(&s->lock);
		(void)pthread_join(s->wal_thread, NULL);
		s->threads_run = false;
	}
	return -r;
}

static void stop(struct store *s, bool *flag, pthread_cond_t *cond, pthread_t thread)
{
	(void)pthread_mutex_lock(&s->lock);
	*flag = true;
	(void)pthread_cond_broadcast(cond);
	(void)pthread_cond_broadcast(&s->progress);
	(void)pthread_mutex_unlock(&s->lock);
	(void)pthread_join(thread, NULL);
}

void pipeline_stop(struct store *s)
{
	if (!s->threads_run)
		return;
	/* The append thread may need the WAL thread, never the other way round. */
	stop(s, &s->append_stop, &s->appendable, s->append_thread);
	stop(s, &s->wal_stop, &s->queued, s->wal_thread);
	s->threads_run = false;
	/* What the WAL thread handed over after the append thread had ended. */
	(void)pthread_mutex_lock(&s->lock);
	struct store_item *item = queue_take(&s->append_queue);
	(void)pthread_mutex_unlock(&s->lock);
	let_go(s, item, NULL);
}
