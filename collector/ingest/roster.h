/* All hosts with what is known of them: a picture, taken under the store's lock and freed of it
 * before anything is formatted, for a thousand hosts must not hold up the verdicts. */
#ifndef HAUL_COLLECTOR_INGEST_ROSTER_H
#define HAUL_COLLECTOR_INGEST_ROSTER_H

#include "collector/store/store.h"

struct roster_row {
	char host[NAME_MAX_LEN + 1];
	struct store_host h; /* its span `host` is not valid any more */
};

struct roster {
	struct roster_row *rows; /* by name */
	size_t n, cap;
	int error;
};

/* Into one that is all zero. -ENOMEM. */
int roster_take(struct roster *r, struct store *s, int64_t now_us) MUST_CHECK;
void roster_free(struct roster *r);

/* Seconds by which the host's clock is ahead of this one, by its newest report; 0 without one. */
double roster_clock_offset_s(const struct store_host *h);

#endif
