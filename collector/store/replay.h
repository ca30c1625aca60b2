/* WAL records brought back to life: what they say of sessions and streams goes into the tables,
 * their lines go to their places. The verdicts of a record are facts, not proposals: they are
 * followed even where a damaged record before them leaves the tables behind. */
#ifndef HAUL_COLLECTOR_STORE_REPLAY_H
#define HAUL_COLLECTOR_STORE_REPLAY_H

#include "collector/store/restore.h"
#include "collector/store/wal_scan.h"

struct replay {
	struct store *s;
	struct restore *restore;
	const struct wal_log *log;
	struct buf meta, body, inflated, kept; /* scratch */
	uint64_t records, chunks_lost;
};

void replay_free(struct replay *r);

/* Learns what the entry says of moves; then, with all moves known, where its lines are to stand.
 * Its meta is good. -EBADMSG when it is not after all; -ENOMEM. */
int replay_plan_moves(struct replay *r, const struct wal_entry *e) MUST_CHECK;
int replay_plan_lines(struct replay *r, const struct wal_entry *e) MUST_CHECK;

/* Do lines of the entry stand on disk? Asked before anything is planned. */
bool replay_stands(struct replay *r, const struct wal_entry *e);

/* Does what it says. A body that is damaged is needed only for lines that do not stand on disk yet;
 * where they do not, the chunk is as if it had never come (its agent sends it again), unless later
 * chunks of the stream were taken: then it is a gap. -errno of what keeps the recovery from going
 * on. */
int replay_entry(struct replay *r, const struct wal_entry *e) MUST_CHECK;

#endif
