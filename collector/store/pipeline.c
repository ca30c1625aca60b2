/* The two threads behind the queue (wal_thread.c, append_thread.c), and what both need.
 *
 *     WAL thread      takes what waits -> one write -> one sync -> answers, in order -> hands over
 *     append thread   takes what is durable -> queues lines by shard -> one write a shard -> lets go
 *
 * While one group is being synced the next one gathers: that is the group commit. A mark (of a
 * checkpoint) ends a group; the WAL thread goes over to the next file there, and the append thread
 * reports when everything before the mark stands in the files.
 *
 * What can go wrong:
 *   no room for the WAL    nothing is answered; the same group is tried again until there is room. New
 *                          batches are not admitted meanwhile.
 *   no room for lines      likewise; the lines are safe in the WAL
 *   any other error        the store has failed: everything that is not yet answered is answered -EIO,
 *                          nothing more is taken, nothing is tried again on these descriptors. What was
 *                          answered is in the WAL; closing and opening again recovers it. */
#include "collector/store/pipeline_inside.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/num.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static const int64_t FULL_PAUSE_NS = 200 * NUM_MS_NS;

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

int pipeline_failure(struct store *s)
{
	(void)pthread_mutex_lock(&s->lock);
	int r = s->failure;
	(void)pthread_mutex_unlock(&s->lock);
	return r;
}

void pipeline_wait(struct store *s, pthread_cond_t *cond, int64_t ns)
{
	int64_t at = clock_mono_ns() + ns;
	struct timespec until = {.tv_sec = at / NUM_SEC_NS, .tv_nsec = at % NUM_SEC_NS};
	(void)pthread_cond_timedwait(cond, &s->lock, &until);
}

bool pipeline_wait_for_room(struct store *s)
{
	(void)room_drop_ballast(&s->tree);
	(void)!wal_files_drop(s->wal_files, 0, false);
	(void)pthread_mutex_lock(&s->lock);
	if (s->failure == 0 && !s->closing)
		pipeline_wait(s, &s->progress, FULL_PAUSE_NS);
	bool again = s->failure == 0 && !s->closing;
	(void)pthread_mutex_unlock(&s->lock);
	return again;
}

bool pipeline_is_full(int error)
{
	return error == -ENOSPC || error == -EDQUOT;
}

/* --- items --- */

struct submission *pipeline_submission(struct store_item *item)
{
	return (struct submission *)(void *)((char *)item - offsetof(struct submission, item));
}

void pipeline_release(struct store *s, struct submission *sub)
{
	uint64_t bytes = sub->order ? sub->order->bytes : 0;
	room_fulfil(&s->room, bytes);
	(void)pthread_mutex_lock(&s->lock);
	s->counters.queued_submissions--;
	s->counters.queued_bytes -= bytes;
	(void)pthread_mutex_unlock(&s->lock);
	submission_unref(sub);
}

uint64_t pipeline_bytes_to_append(const struct store_item *item)
{
	if (item->kind != ITEM_BATCH)
		return 0;
	const struct submission *sub = pipeline_submission((struct store_item *)item);
	return sub->order->bytes - sub->gzip_body.len;
}

/* --- the threads --- */

int pipeline_start(struct store *s)
{
	s->appender.move = append_move;
	s->appender.user = s;
	int r = pthread_create(&s->wal_thread, NULL, wal_thread_run, s);
	if (r)
		return -r;
	r = pthread_create(&s->append_thread, NULL, append_thread_run, s);
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
	append_let_go(s, item, NULL);
}
