/* Says aloud whose requests are turned away and why: an agent with a wrong token retries for ever
 * and nobody looks at its own log. Each peer and reason once, then in sums (log.h), in a table of
 * fixed size: peers that share a slot share its sums.
 *
 * Threads: any. */
#ifndef HAUL_COLLECTOR_INGEST_COMPLAINTS_H
#define HAUL_COLLECTOR_INGEST_COMPLAINTS_H

#include <sys/socket.h>

struct complaints;

struct complaints *complaints_new(void); /* NULL: no memory */
void complaints_free(struct complaints *c);

/* For what the peer has to mend: 400, 401, 403, 409, 413, 415. Other statuses are not told: they
 * are the collector's own state, which it tells itself, or somebody's curiosity. */
void complaints_tell(struct complaints *c, const struct sockaddr *peer, unsigned status,
		     const char *path, const char *text);

#endif
