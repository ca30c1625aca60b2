/* Where the WAL ends after a crash, and what in it is damaged. Pure decisions on what wal_scan
 * found.
 *
 * A record that is not whole was either torn (the crash came before its sync, nobody was told about
 * it, and nothing behind it was ever answered either) or it was durable once and has been damaged
 * since. The two ask for opposite things: a torn one and all behind it must be forgotten, a damaged
 * one must not be taken for something that never happened. Evidence that an LSN was durable: a
 * later record says so in its head; a later file begins behind it; the ledger is past it; or its
 * lines stand in their segments, which are written only after the sync. */
#ifndef HAUL_COLLECTOR_STORE_WAL_END_H
#define HAUL_COLLECTOR_STORE_WAL_END_H

#include "collector/store/wal_scan.h"

struct wal_end {
	size_t n_entries;    /* of the log, that count */
	uint64_t last_lsn;   /* the greatest that was durable, whether or not its record is there */
	bool cut;            /* bytes behind the last record are to go: */
	size_t file;         /*   in this file of the log, */
	uint64_t at;         /*   from here on, and all files behind it */
	uint64_t torn_bytes; /* of all that goes, zeros at the very end not counted */
};

/* `stands` says whether the entry (its meta is good) has lines that stand on disk as it says. Asked
 * only where nothing else is known. */
struct wal_end wal_find_end(const struct wal_log *log, uint64_t base_lsn,
			    bool (*stands)(void *user, const struct wal_entry *e), void *user);

/* Does what `end` says. Idempotent. -errno. */
int wal_cut(int dir, const struct wal_log *log, const struct wal_end *end) MUST_CHECK;

#endif
