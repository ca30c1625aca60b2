/* The collector's durable tables, in SQLite: hosts, streams, gaps, losses, segments. One
 * transaction at a checkpoint brings them from one LSN to another; everything since is in the WAL.
 *
 * An operator may ask it questions (a copy, .haul/ledger-export.db, is there for that and for the
 * reader):
 *
 *     sqlite3 ledger-export.db 'select * from stream_list'
 *
 * One thread at a time. Errors: -EBADMSG the file is damaged or not a ledger; -ENOSPC; -EIO;
 * -ENOMEM. */
#ifndef HAUL_COLLECTOR_STORE_LEDGER_H
#define HAUL_COLLECTOR_STORE_LEDGER_H

#include "collector/store/appender.h"
#include "collector/store/segment.h"
#include "collector/store/session.h"
#include "collector/store/store.h"
#include "collector/store/stream.h"

struct ledger;

/* Makes it when it is not there, and checks the whole file. -EPROTONOSUPPORT: a newer haul made
 * it. */
int ledger_open(const char *path, struct ledger **ret) MUST_CHECK;
void ledger_close(struct ledger *l);

/* Writes a copy, as of the last commit, to a file that is not there yet. Not synced. */
int ledger_copy(struct ledger *l, const char *path) MUST_CHECK;

struct ledger_meta {
	char uuid[UUID_LEN + 1]; /* empty in a new one */
	uint64_t lsn;            /* all records up to it are in */
	uint64_t last_session;
};

int ledger_read_meta(struct ledger *l, struct ledger_meta *ret) MUST_CHECK;

/* Looks at a file that may be a ledger without changing it: whole, and what its meta says. */
int ledger_probe(const char *path, struct ledger_meta *ret) MUST_CHECK;

/* Calls back for every row. What `stream` and `gap` get is valid during the call; `host` comes
 * before `stream` before `gap`. A negative result stops and is returned. */
struct ledger_reader {
	int (*host)(void *user, const struct host *row);
	int (*stream)(void *user, uint64_t host_row, const struct stream *row);
	int (*gap)(void *user, uint64_t stream_row, const struct gap *gap);
	int (*segment)(void *user, const struct segment_row *row);
	void *user;
};
int ledger_read(struct ledger *l, const struct ledger_reader *reader) MUST_CHECK;
/* The segments alone. */
int ledger_read_segments(struct ledger *l, int (*each)(void *user, const struct segment_row *row),
			 void *user) MUST_CHECK;

/* --- one transaction --- */

struct loss {
	struct stream_id stream;
	const char *host; /* the host's own */
	struct span service, path;
	char *text; /* of service and path; whoever keeps the loss frees it */
	uint64_t from, to;
	char cause[CHUNK_LOSS_MAX + 1];
	int64_t time_us;
};

int ledger_begin(struct ledger *l) MUST_CHECK;
int ledger_put_host(struct ledger *l, const struct host *host) MUST_CHECK;
/* With its gaps. */
int ledger_put_stream(struct ledger *l, const struct stream *s) MUST_CHECK;
int ledger_remove_stream(struct ledger *l, uint64_t row) MUST_CHECK;
int ledger_put_segment(struct ledger *l, const struct segment_row *row) MUST_CHECK;
int ledger_remove_segment(struct ledger *l, const struct segment_row *row) MUST_CHECK;
int ledger_add_loss(struct ledger *l, const struct loss *loss) MUST_CHECK;
int ledger_add_note(struct ledger *l, const struct archive_note *note) MUST_CHECK;
/* Durable when it returns 0. On error nothing of the transaction has happened. */
int ledger_commit(struct ledger *l, const struct ledger_meta *meta) MUST_CHECK;
void ledger_rollback(struct ledger *l);

#endif
