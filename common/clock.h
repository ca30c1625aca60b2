/* The only module that reads clocks, so that tests can put another clock in its place.
 *
 * Units: nanoseconds in int64_t. Monotonic time is for deadlines and rates, real time (since 1970,
 * UTC) for stamps. Thread-safe. */
#ifndef HAUL_COMMON_CLOCK_H
#define HAUL_COMMON_CLOCK_H

#include <stdint.h>

int64_t clock_mono_ns(void);
int64_t clock_real_ns(void);

/* For tests: from now on both clocks are what the functions say; NULL gives the real one back. */
void clock_replace(int64_t (*mono_ns)(void), int64_t (*real_ns)(void));

#endif
