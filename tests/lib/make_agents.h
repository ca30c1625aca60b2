/* A few agents for tests in which the collector dies: each time they open sessions, ask where their
 * streams stand, go on from there, and remember what was acknowledged. Kept in shared memory, they
 * outlive the process that played them. */
#ifndef HAUL_TESTS_LIB_MAKE_AGENTS_H
#define HAUL_TESTS_LIB_MAKE_AGENTS_H

#include "tests/lib/make_batch.h"

enum { MAKE_SOURCES = 4, MAKE_ROUNDS = 6, MAKE_LINES = 7 };

struct make_agents {
	char dir[64];                             /* the collector's data */
	struct make_source sources[MAKE_SOURCES]; /* as they were made */
	uint64_t acknowledged[MAKE_SOURCES], sent[MAKE_SOURCES];
};

/* A new directory, new sources. */
void make_agents_begin(struct make_agents *agents);
/* Opens the store, works, closes it. True: all was committed. False, only when `may_fail`: the
 * store has failed and said so. */
bool make_agents_work(struct make_agents *agents, bool may_fail);
/* The oracle: whatever was acknowledged is on disk, once and in order. */
void make_agents_check(const struct make_agents *agents);
/* Removes the directory. */
void make_agents_end(const struct make_agents *agents);

#endif
