/* One host (tests/lib/host.h) for each test of a file. */
#ifndef HAUL_TESTS_LIB_ONE_HOST_H
#define HAUL_TESTS_LIB_ONE_HOST_H

#include "tests/lib/host.h"

#include <check.h>

extern struct host h; /* the test's; without `prepare` it has no inputs yet */

/* All lines that have arrived. */
#define LINES(text) ck_assert_str_eq(host_lines(&h), text)

/* Runs the tests that `add` adds, each on a host of its own that `prepare` (may be NULL) has
 * prepared. The exit code of main. */
int one_host_run(const char *name, void (*prepare)(void), void (*add)(TCase *tcase));

#endif
