/* The copy of the ledger that a lost one is rebuilt from: .haul/wal/snapshot.db, as of some LSN;
 * all WAL records since are kept. The same file by another name, .haul/ledger-export.db, is for
 * readers.
 *
 * It lies beside the WAL because the two belong together, and not with the ledger, with which it
 * would be lost. The checkpoint thread's. */
#ifndef HAUL_COLLECTOR_STORE_SNAPSHOT_H
#define HAUL_COLLECTOR_STORE_SNAPSHOT_H

#include "collector/store/core.h"

struct snapshot {
	uint64_t lsn; /* of the copy that is there; 0: none that counts */
	/* the ledger has changed since, though its LSN has not: what became of segments */
	bool old;
	int64_t made_mono_ns;
};

/* Is it worth a copy? `last`: the store is being closed. */
bool snapshot_due(const struct snapshot *n, struct store *s, uint64_t ledger_lsn, bool last);

/* Copies the ledger, which stands at `ledger_lsn`. On error (-errno) there is no copy any more: the
 * WAL that it would need is not kept for it. */
int snapshot_make(struct snapshot *n, struct store *s, uint64_t ledger_lsn) MUST_CHECK;

#endif
