/* Memory in flight: see budget.h. Used by requests (request.c, batches.c), expired by the server's
 * tick.
 *
 * Invariant: while someone waits, either something is taken or the first in the queue is being let
 * in; so the queue always moves. Decisions are collected under the lock and told outside of it,
 * because a taker that is told may at once call back. */
#include "collector/ingest/budget.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct budget {
	pthread_mutex_t lock; /* guards all that follows */
	uint64_t total, taken, n_waiting;
	struct budget_waiter *first, **last;
};

struct budget *budget_new(uint64_t bytes)
{
	struct budget *b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	pthread_mutex_init(&b->lock, NULL);
	b->total = bytes;
	b->last = &b->first;
	return b;
}

void budget_free(struct budget *b)
{
	if (!b)
		return;
	assert(!b->first && b->taken == 0);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

static bool fits(const struct budget *b, uint64_t bytes)
{
	return b->taken == 0 || (b->taken < b->total && bytes <= b->total - b->taken);
}

/* Takes those off the queue's front that fit now. */
static struct budget_waiter *admit(struct budget *b)
{
	struct budget_waiter *admitted = b->first, **end = &admitted;
	while (*end && fits(b, (*end)->bytes)) {
		b->taken += (*end)->bytes;
		b->n_waiting--;
		end = &(*end)->next;
	}
	b->first = *end;
	if (!b->first)
		b->last = &b->first;
	*end = NULL;
	return admitted;
}

static void tell(struct budget_waiter *list, bool granted)
{
	while (list) {
		struct budget_waiter *w = list;
		list = w->next; /* w is its owner's again once it is told */
		w->decided(w->user, granted);
	}
}

int budget_try(struct budget *b, uint64_t bytes)
{
	pthread_mutex_lock(&b->lock);
	bool now = !b->first && fits(b, bytes);
	if (now)
		b->taken += bytes;
	pthread_mutex_unlock(&b->lock);
	return now ? 0 : -EAGAIN;
}

int budget_take(struct budget *b, struct budget_waiter *w)
{
	pthread_mutex_lock(&b->lock);
	bool now = !b->first && fits(b, w->bytes);
	if (now) {
		b->taken += w->bytes;
	} else {
		w->next = NULL;
		*b->last = w;
		b->last = &w->next;
		b->n_waiting++;
	}
	pthread_mutex_unlock(&b->lock);
	return now ? 0 : -EAGAIN;
}

int budget_take_more(struct budget *b, uint64_t bytes)
{
	pthread_mutex_lock(&b->lock);
	uint64_t limit = b->total + b->total / 4;
	bool now = b->taken < limit && bytes <= limit - b->taken;
	if (now)
		b->taken += bytes;
	pthread_mutex_unlock(&b->lock);
	return now ? 0 : -EAGAIN;
}

void budget_force(struct budget *b, uint64_t bytes)
{
	pthread_mutex_lock(&b->lock);
	b->taken += bytes;
	pthread_mutex_unlock(&b->lock);
}

void budget_give(struct budget *b, uint64_t bytes)
{
	pthread_mutex_lock(&b->lock);
	assert(bytes <= b->taken);
	b->taken -= bytes;
	struct budget_waiter *admitted = admit(b);
	pthread_mutex_unlock(&b->lock);
	tell(admitted, true);
}

void budget_expire(struct budget *b, int64_t now_ns)
{
	struct budget_waiter *expired = NULL, **end = &expired;
	pthread_mutex_lock(&b->lock);
	struct budget_waiter **at = &b->first;
	while (*at) {
		struct budget_waiter *w = *at;
		if (w->deadline_ns > now_ns) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		w->next = NULL;
		*end = w;
		end = &w->next;
		b->n_waiting--;
	}
	b->last = at;
	/* The one that went may have been too large for what is free, and those behind it are
	 * not. */
	struct budget_waiter *admitted = admit(b);
	pthread_mutex_unlock(&b->lock);
	tell(expired, false);
	tell(admitted, true);
}

void budget_resize(struct budget *b, uint64_t bytes)
{
	pthread_mutex_lock(&b->lock);
	b->total = bytes;
	struct budget_waiter *admitted = admit(b);
	pthread_mutex_unlock(&b->lock);
	tell(admitted, true);
}

struct budget_state budget_state(struct budget *b)
{
	pthread_mutex_lock(&b->lock);
	struct budget_state state = {b->total, b->taken, b->n_waiting};
	pthread_mutex_unlock(&b->lock);
	return state;
}
