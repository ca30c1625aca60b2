/* What all stores that pretend have in common: submissions, which are counted, and who has a
 * session. */
#ifndef HAUL_TESTS_FAKES_SUBMISSION_H
#define HAUL_TESTS_FAKES_SUBMISSION_H

#include "collector/store/store.h"

#include <stdatomic.h>

#define FAKE_UUID "11111111-2222-4333-8444-555555555555"

extern atomic_int fake_submissions; /* alive */

/* A verdict for each chunk: committed, or refused when the batch says so of it. */
void fake_judge(struct submission *sub);

/* As store_session_host: session 7 is web-01's, 6 was, 8 is db-01's; those from 100 on are a
 * crowd's. */
int fake_session_host(uint64_t session, char ret_host[NAME_MAX_LEN + 1]);

#endif
