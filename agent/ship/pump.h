/* The flow, in one place: read a source, cut lines, find their time, decide head or continuation,
 * filter, and put them into the batch that is being built.
 *
 *     follow -> frame -> envelope -> stamp -> classify -> filter -> payload line -> batch
 */
#ifndef HAUL_AGENT_PUMP_H
#define HAUL_AGENT_PUMP_H

#include "agent/files/source.h"
#include "agent/lines/envelope.h"
#include "agent/ship/batcher.h"

struct pump;

/* `host` and the table outlive the pump. Errors: -ENOMEM. */
int pump_new(struct source_table *t, const char *host, struct pump **ret) MUST_CHECK;
void pump_free(struct pump *p);

/* Gives the next ready source its turn, which makes at most one chunk: lines, a loss, a hole, or
 * the end of a stream. False: the batch is full, or nobody is ready. */
bool pump_turn(struct pump *p, struct batcher *b);

/* The monotonic time at which pump_turn wants to be called also when no source is ready: pieces of
 * container lines get too old. INT64_MAX: there are none. */
int64_t pump_next_ns(const struct pump *p);

void pump_counters(const struct pump *p, struct envelopes_counters *ret);

#endif
