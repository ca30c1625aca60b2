/* Forgetting streams that ended long ago, so that a host whose containers come and go does not fill
 * its table.
 *
 * A stream is kept for as long as anybody may still ask for it: an agent that has lost its
 * registry, for a file that is still there; one that repeats a batch; one that fills a gap. So only
 * streams go that
 *
 *   - have ended, and have no gap,
 *   - are not among the newest FORGET_KEPT of their host: an agent remembers 8,192 of its own,
 *   - ended so long ago that retention has deleted their lines (for ever: FORGET_EVER_DAYS), and FORGET_DAYS at least,
 *     by the clock as the store believes it.
 *
 * What a stream is forgotten by is a row that a checkpoint removes from the ledger. A crash before
 * that brings the stream back, and it is forgotten again; the log never speaks of one again, unless
 * it is born anew (replay.c). */
#ifndef HAUL_COLLECTOR_STORE_FORGET_H
#define HAUL_COLLECTOR_STORE_FORGET_H

#include "collector/store/core.h"

#define FORGET_KEPT      16384
#define FORGET_DAYS      30
#define FORGET_EVER_DAYS 365
#define FORGET_AT_ONCE   1024 /* in one checkpoint */

struct forget_list;

/* Chooses, by the checkpoint thread, without the lock. *ret is NULL when there is nothing to
 * forget. -ENOMEM. */
int forget_choose(struct store *s, struct forget_list **ret) MUST_CHECK;

/* With the lock held: forgets what was chosen, as far as that is still right. */
void forget_take(struct store *s, const struct forget_list *list);

void forget_free(struct forget_list *list);

#endif
