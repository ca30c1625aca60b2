/* How many batches of each host are under way. An agent sends one at a time, and after a broken
 * connection perhaps one more; a host that has very many makes others wait for memory, and is told
 * to come again itself.
 *
 * Threads: any. */
#ifndef HAUL_COLLECTOR_INGEST_INFLIGHT_H
#define HAUL_COLLECTOR_INGEST_INFLIGHT_H

#include "common/buf.h"

#include <stdbool.h>

#define INFLIGHT_PER_HOST 64

struct inflight;

struct inflight *inflight_new(void);    /* NULL: no memory */
void inflight_free(struct inflight *f); /* nobody is in (asserted) */

/* True: counted, until inflight_leave. False: the host has INFLIGHT_PER_HOST already, or memory is
 * short. */
bool inflight_enter(struct inflight *f, const char *host) MUST_CHECK;
void inflight_leave(struct inflight *f, const char *host);

#endif
