/* What went wrong while reading: files that cannot be opened, damaged blocks. Each is told once,
 * the search goes on, and the exit code says so at the end. Thread-safe. */
#ifndef HAUL_COLLECTOR_QUERY_TROUBLE_H
#define HAUL_COLLECTOR_QUERY_TROUBLE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define TROUBLE_SHOWN 20 /* messages; the rest is counted */

struct trouble {
	pthread_mutex_t lock; /* guards count, and keeps messages and progress line apart */
	uint64_t count;
	void (*before_message)(void *user); /* clears a progress line; may be NULL */
	void *user;
};

#define TROUBLE_NONE ((struct trouble){.lock = PTHREAD_MUTEX_INITIALIZER})

/* "PATH: what; what happens next". */
void trouble_tell(struct trouble *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* At the end: how many were not shown. True when there was any trouble. */
bool trouble_sum(struct trouble *t);

#endif
