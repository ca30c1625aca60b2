/* Memory in flight over all requests: a number of bytes that may be taken, and a queue of those who
 * wait for some. Without it a thousand agents that send at once would be a thousand times their
 * batch.
 *
 * One taker is always let in when nothing else is taken, whatever it asks for: a batch that is
 * within the other limits must be able to pass. Who waits is served in order. A taker asks before
 * it holds anything of the same budget, so that waiting cannot lock.
 *
 * Threads: any. Call-backs come from whoever gives back, outside the budget's lock. */
#ifndef HAUL_COLLECTOR_INGEST_BUDGET_H
#define HAUL_COLLECTOR_INGEST_BUDGET_H

#include "common/buf.h"

#include <stdint.h>

struct budget;

/* Lives in the taker, who keeps it until `decided`. */
struct budget_waiter {
	uint64_t bytes;
	int64_t deadline_ns;
	/* granted: the bytes are taken; else time is over and they are not. */
	void (*decided)(void *user, bool granted);
	void *user;
	struct budget_waiter *next;
};

struct budget *budget_new(uint64_t bytes); /* NULL: no memory */
void budget_free(struct budget *b);        /* nothing is taken and nobody waits (asserted) */

/* Takes at once or not at all (-EAGAIN), and never before those who wait. */
int budget_try(struct budget *b, uint64_t bytes) MUST_CHECK;

/* 0: taken. -EAGAIN: `w` is queued and will be decided on; w->bytes, deadline_ns, decided and user
 * are set by the caller. */
int budget_take(struct budget *b, struct budget_waiter *w) MUST_CHECK;

/* Takes at once or not at all (-EAGAIN), for more of what is under way already: before those who
 * wait, and up to a quarter more than the budget, so that those in front of the door do not starve
 * those inside. */
int budget_take_more(struct budget *b, uint64_t bytes) MUST_CHECK;

/* Takes without asking: what turned out to be larger than was thought. */
void budget_force(struct budget *b, uint64_t bytes);

void budget_give(struct budget *b, uint64_t bytes);

/* Decides against everyone whose deadline has passed at `now_ns` (INT64_MAX: everyone). */
void budget_expire(struct budget *b, int64_t now_ns);

void budget_resize(struct budget *b, uint64_t bytes);

struct budget_state {
	uint64_t total, taken, waiting;
};
struct budget_state budget_state(struct budget *b);

#endif
