/* What the write-ahead log has beyond a copy of the ledger: account.c's own.
 *
 * The streams that changed go to temporary tables of the copy's connection: the copy itself is not
 * written. */
#ifndef HAUL_COLLECTOR_STORE_ACCOUNT_LOG_H
#define HAUL_COLLECTOR_STORE_ACCOUNT_LOG_H

#include "collector/store/account.h"

#include <sqlite3.h>

/* Reads the log below `dir` (DATA_DIR) and adds what it has behind state->lsn. Sets the fields of
 * *state. -EAGAIN: the log does not go on where the copy stops, so there is a newer copy. */
int account_log_add(sqlite3 *db, int dir, struct account_state *state) MUST_CHECK;

#endif
