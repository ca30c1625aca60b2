/* What ingest counts of itself. The fields are sums since the start, added to from any thread. */
#ifndef HAUL_COLLECTOR_INGEST_METERS_H
#define HAUL_COLLECTOR_INGEST_METERS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { METERS_N_STATUSES = 13 }; /* that are counted one by one (meters.c) */

struct meters {
	_Atomic uint64_t answers[METERS_N_STATUSES + 1]; /* by slot, then all others */
	_Atomic uint64_t dropped;                        /* requests that ended without an answer */
	_Atomic uint64_t body_bytes, inflated_bytes;     /* of batches */
	_Atomic uint64_t work_ns; /* inflating, checking and rendering; of a thread */
	_Atomic uint64_t waits;   /* batches that had to wait for memory */
};

/* The status of the i-th slot; 0 for the last. */
unsigned meters_status(size_t i);
void meters_count_answer(struct meters *m, unsigned status);

static inline void meters_add(_Atomic uint64_t *meter, uint64_t n)
{
	atomic_fetch_add_explicit(meter, n, memory_order_relaxed);
}

static inline uint64_t meters_get(const _Atomic uint64_t *meter)
{
	return atomic_load_explicit(meter, memory_order_relaxed);
}

#endif
