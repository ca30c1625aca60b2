/* One store in a directory of its own, with a session of web-01: what many tests of the store have
 * in common. */
#ifndef HAUL_TESTS_LIB_ONE_STORE_H
#define HAUL_TESTS_LIB_ONE_STORE_H

#include "tests/lib/make_batch.h"

extern char dir[]; /* the store's */
extern struct store *store;
extern uint64_t session;

/* A checked fixture. */
void one_store_set_up(void);
void one_store_tear_down(void);

/* Closed and opened, with the same session. */
void one_store_reopen(void);
/* The archive has lines 1 to `lines` of that source, once and in order. */
void one_store_expect(const char *name, uint64_t lines);

#endif
