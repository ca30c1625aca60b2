/* A store that only pretends: it knows no disk, and answers a submission as a test says, at once or
 * when it is let go. It stands in for collector/store in tests of what is before it. */
#ifndef HAUL_TESTS_FAKES_STORE_H
#define HAUL_TESTS_FAKES_STORE_H

#include "tests/lib/fakes/submission.h"

#include <pthread.h>

struct store {
	pthread_mutex_t lock;
	bool hold;       /* submissions stay unanswered until let_go */
	int result;      /* what they are answered */
	int admit;       /* of store_admit */
	size_t blocked;  /* of store_blocked */
	int session;     /* of store_session_open's done */
	uint64_t opened; /* sessions */
	struct submission *held;
	_Atomic uint64_t lines;
	struct report report;
	uint64_t report_session;
};

extern struct store fake;

/* How many submissions wait for an answer. */
unsigned count_held(void);

/* Answers all of them, and those that come from now on at once; each on a thread of its own. */
void let_go(void);

#endif
