/* From whatever the last run left to a store that can run: see recovery.c for the steps and what
 * each does about damage. */
#ifndef HAUL_COLLECTOR_STORE_RECOVERY_H
#define HAUL_COLLECTOR_STORE_RECOVERY_H

#include "collector/store/core.h"

/* The tree is open, the tables are empty. On success ledger, WAL, tables and appender are as after
 * the last record; ret_ledger_lsn is where the ledger stands, and the next checkpoint makes the
 * rest durable there. Errors, with `err`: only those of I/O and memory, never of damage. */
int recovery_run(struct store *s, uint64_t *ret_ledger_lsn, struct conf_error *err) MUST_CHECK;

#endif
