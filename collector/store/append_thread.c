/* The append thread: what is durable in the WAL goes to the live files, one write a shard; at a
 * mark segments are closed and the checkpoint learns that everything before it stands there. See
 * pipeline.c for what can go wrong. */
#include "collector/store/pipeline_inside.h"

#include "common/log.h"
#include "common/num.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* One round of appending holds at most so much, and one more batch. */
#define ROUND_BYTES (UINT64_C(16) << 20)

static const int64_t TICK_NS = NUM_SEC_NS;

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

/* With the lock the shard turns to a new segment, then the record must be durable. */
int append_move(void *user, struct shard *shard, struct place from, bool gone, uint32_t *ret_number)
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
	if (!pipeline_is_full(r))
		return false;
	log_gated(gate, LOG_LEVEL_ERROR, "%s: %s; lines wait in the WAL until there is room",
		  s->data_dir, strerror(-r));
	return pipeline_wait_for_room(s);
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

void append_let_go(struct store *s, struct store_item *item, const struct store_item *end)
{
	uint64_t bytes = 0;
	struct mark *mark = NULL;
	while (item != end) {
		struct store_item *next = item->next;
		bytes += pipeline_bytes_to_append(item);
		if (item->kind == ITEM_BATCH)
			pipeline_release(s, pipeline_submission(item));
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
	int r = pipeline_failure(s);
	for (; r == 0 && end && !mark && bytes < ROUND_BYTES; end = end->next) {
		if (end->kind == ITEM_MARK) {
			mark = (struct mark *)end;
		} else {
			bytes += pipeline_bytes_to_append(end);
			r = queue_lines(s, pipeline_submission(end));
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
	append_let_go(s, first, end);
	return end;
}

void *append_thread_run(void *arg)
{
	struct store *s = arg;
	(void)pthread_setname_np(pthread_self(), "append");
	(void)pthread_mutex_lock(&s->lock);
	for (;;) {
		if (!s->append_queue.first && !s->append_stop)
			pipeline_wait(s, &s->appendable, TICK_NS);
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
