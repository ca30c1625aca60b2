/* The WAL thread: what waits in the queue is encoded into a group, written and synced, and answered
 * in order; what is to be appended goes on to the append thread. See pipeline.c for what can go
 * wrong. */
#include "collector/store/pipeline_inside.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/num.h"

#include <errno.h>
#include <stdlib.h>

/* One write to the WAL holds at most so much, and one more record. */
#define GROUP_BYTES (UINT64_C(4) << 20)

/* --- records --- */

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
		*ret_body = buf_span(&pipeline_submission(item)->gzip_body);
		*ret_crc = pipeline_submission(item)->order->body_crc;
		return encode_batch(pipeline_submission(item), out);
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

/* True when the item goes on to the append thread. */
static bool answer(struct store *s, struct store_item *item, int error)
{
	switch ((enum item_kind)item->kind) {
	case ITEM_BATCH: {
		struct submission *sub = pipeline_submission(item);
		if (error)
			sub->result = -EIO;
		sub->answered(sub, sub->user);
		if (item->lsn && !error)
			return true;
		pipeline_release(s, sub);
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
			bytes += pipeline_bytes_to_append(item);
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
	while ((r = wal_write(s->wal, g)) < 0 && (pipeline_is_full(r) || r == -ENOMEM)) {
		log_gated(&gate, LOG_LEVEL_ERROR, "WAL: %s; batches wait until there is room",
			  strerror(-r));
		if (!pipeline_wait_for_room(s))
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

/* Takes items into the group as long as they fit; *item is then the first that is not in it. A mark
 * is the last of its group. */
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
	int error = pipeline_failure(s);
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

void *wal_thread_run(void *arg)
{
	struct store *s = arg;
	struct wal_group group = {0};
	(void)pthread_setname_np(pthread_self(), "wal");
	(void)pthread_mutex_lock(&s->lock);
	for (;;) {
		while (!s->queue.first && !s->wal_stop)
			(void)pthread_cond_wait(&s->queued, &s->lock);
		/* The append thread is behind: agents are to wait, memory is not to grow. It must
		 * not be waited for while it waits for us. */
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
