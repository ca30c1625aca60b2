/* The clocks: see clock.h. Invariant: nothing else in the project reads a clock, so that a test
 * that replaces these two owns time. Cannot fail: both clocks exist on every Linux. */
#include "common/clock.h"

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

/* What tests put in place; NULL: the real ones. Atomic because threads read it. */
static int64_t (*_Atomic replaced_mono)(void);
static int64_t (*_Atomic replaced_real)(void);

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;
	int r = clock_gettime(id, &ts);
	assert(r == 0);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t clock_mono_ns(void)
{
	int64_t (*mono_ns)(void) = atomic_load_explicit(&replaced_mono, memory_order_relaxed);
	return mono_ns ? mono_ns() : read_clock(CLOCK_MONOTONIC);
}

int64_t clock_real_ns(void)
{
	int64_t (*real_ns)(void) = atomic_load_explicit(&replaced_real, memory_order_relaxed);
	return real_ns ? real_ns() : read_clock(CLOCK_REALTIME);
}

void clock_replace(int64_t (*mono_ns)(void), int64_t (*real_ns)(void))
{
	atomic_store(&replaced_mono, mono_ns);
	atomic_store(&replaced_real, real_ns);
}
