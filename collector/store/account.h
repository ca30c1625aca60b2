/* What the collector has on record, as a reader finds it: every stream with what of it has arrived,
 * every segment with its length and checksum, losses and gaps. The copy of the ledger that the
 * collector makes at checkpoints (.haul/ledger-export.db), and what the write-ahead log has beyond
 * it: so the account is as of the last batch that was answered, though nobody but the collector may
 * open the ledger itself.
 *
 * Nothing is written, no lock is taken, the collector may run or not. The copy is never changed,
 * only replaced; when the log has gone on without it in between, both are read again. What was read
 * of the log is synced before it counts, so that everything told here is durable. Segments are as
 * of the copy: they only grow.
 *
 * One thread at a time. Errors: -errno; -EBADMSG what was read makes no sense; -ENOMEM. */
#ifndef HAUL_COLLECTOR_STORE_ACCOUNT_H
#define HAUL_COLLECTOR_STORE_ACCOUNT_H

#include "common/buf.h"
#include "common/span.h"
#include "common/stream_id.h"

#include <stdint.h>

struct account;

/* `ret_what` (a static text) says what could not be read when it fails. */
int account_open(const char *data_dir, struct account **ret, const char **ret_what) MUST_CHECK;
void account_close(struct account *a);

struct account_state {
	uint64_t lsn;        /* of the last record that is in it */
	int64_t as_of_us;    /* when that was written, or the copy */
	uint64_t log_events; /* records of the log beyond the copy */
	/* The log is damaged behind that record: what more it says does not count here. */
	bool log_damaged;
};
const struct account_state *account_state(const struct account *a);

/* --- streams --- */

struct account_gap {
	uint64_t from, to;
};

struct account_loss {
	uint64_t from, to;
	char cause[65];
	int64_t time_us;
};

struct account_stream {
	struct stream_id id;
	struct span host, service, instance, path;
	uint64_t ino;
	uint64_t start, base, offset, crc; /* the checksum is that of [base, offset) */
	uint64_t lines, dropped;
	int64_t born_us, last_us; /* first and latest chunk */
	bool ended;
	bool known; /* false: only its losses are on record */
	/* By `from`; a range is lost at most once. */
	const struct account_gap *gaps;
	size_t n_gaps;
	const struct account_loss *losses;
	size_t n_losses;
};

/* 1 and the next stream, by host, path and birth, valid until the next call; 0 at the end. */
int account_next_stream(struct account *a, struct account_stream *ret) MUST_CHECK;

/* --- segments --- */

enum account_segment_state {
	ACCOUNT_LIVE,
	ACCOUNT_CLOSED,
	ACCOUNT_SEALED,
	ACCOUNT_GONE,    /* its file was taken away by somebody */
	ACCOUNT_DELETED, /* by retention */
};

struct account_segment {
	int32_t day;
	struct span service, host;
	uint32_t number;
	enum account_segment_state state;
	uint64_t ino; /* of its live file */
	uint64_t length, lines, crc;
	bool crc_known;
	uint64_t cut; /* bytes that somebody has cut off its live file */
};

uint64_t account_count_segments(struct account *a);

/* 1 and the next one, by day, service, host, number; valid until the next call; 0 at the end. */
int account_next_segment(struct account *a, struct account_segment *ret) MUST_CHECK;

/* 1 and that one; 2: it is known from the log alone, and *ret is not set; 0: there is none.
 * `number` 0: the live one of the shard. */
int account_find_segment(struct account *a, int32_t day, struct span service, struct span host,
			 uint32_t number, struct account_segment *ret) MUST_CHECK;

#endif
