/* Appends lines to their shards' live files: the one writer of the archive. Lines are queued place
 * by place in the order of their records, then flushed with one write a shard; so a shard's file
 * grows exactly as places were given, and `tail -F` never sees a hole.
 *
 * Owned by the append thread. */
#ifndef HAUL_COLLECTOR_STORE_APPENDER_H
#define HAUL_COLLECTOR_STORE_APPENDER_H

#include "collector/store/segment.h"
#include "common/log.h"

/* Bytes of the archive that are not there any more, or that haul did not write. */
struct archive_note {
	int32_t day;
	struct span service, host; /* the shard's */
	uint32_t number;
	uint64_t from, to;
	const char *what; /* static: "cut", "gone", "foreign" */
	int64_t time_us;
};

/* Lines that wait for a shard's file go to a new segment, from `from` on; `gone`: the old one has
 * no file any more. Returns when that is durable: 0 and the number of the new segment. */
typedef int appender_move(void *user, struct shard *shard, struct place from, bool gone,
			  uint32_t *ret_number);

struct appender {
	const struct tree *tree;
	appender_move *move;
	void *user;
	size_t max_open; /* files open at once */
	size_t n_open;   /* may be read by any thread, atomically */
	int32_t today;
	bool swept; /* today/ has been, today */
	struct list all, open, changed, queued;
	struct log_gate full_gate, today_gate;
	/* What happened since the last appender_report. */
	struct segment_row *retired;
	size_t n_retired, retired_capacity;
	struct archive_note *notes;
	size_t n_notes, notes_capacity;
	bool names_changed; /* files or directories were made or renamed */
};

void appender_init(struct appender *a, const struct tree *tree, size_t max_open,
		   appender_move *move, void *user);
/* Frees the segments, too. */
void appender_free(struct appender *a);

/* Takes over a segment that exists (recovery: shard->segment). */
void appender_adopt(struct appender *a, struct segment *s);

/* For the next report: a live segment is not as the ledger has it; one is not live any more;
 * something is wrong with a range of bytes (`what` is static). -ENOMEM. */
void appender_changed(struct appender *a, struct segment *s);
int appender_retired(struct appender *a, const struct segment *s,
		     enum segment_state state) MUST_CHECK;
int appender_note(struct appender *a, const struct segment *s, const char *what, uint64_t from,
		  uint64_t to) MUST_CHECK;

/* Queues lines for the place, whose turn it is. -ENOMEM. */
int appender_queue(struct appender *a, struct shard *shard, struct place place,
		   const struct segment_lines *lines) MUST_CHECK;

/* Writes all that is queued. -ENOSPC, -EDQUOT: call it again when there may be room; any other
 * error is final. */
int appender_flush(struct appender *a) MUST_CHECK;

/* Gives a live segment that is complete its number. With nothing queued. */
int appender_close(struct appender *a, struct shard *shard, uint32_t number) MUST_CHECK;

/* Everything that changed since the last report, as it stands with nothing queued: rows of segments
 * and notes, the receiver's to free; `names_changed` as above. -ENOMEM: nothing is forgotten. */
struct appender_report {
	struct segment_row *rows;
	size_t n_rows;
	struct archive_note *notes;
	size_t n_notes;
	bool names_changed;
};
int appender_report(struct appender *a, struct appender_report *ret) MUST_CHECK;
void appender_report_free(struct appender_report *r);

/* Now and then: links of today, stale ones swept an hour after midnight. */
void appender_tick(struct appender *a);

#endif
