/* What WAL records say, coded and decoded; the frame around them is wal_format.h's. Pure.
 *
 * A record of a batch has two parts. Its *meta* is everything that judging decided: the chunks that
 * were taken, how, under which terms of rendering, and the places of their lines. Its *body* is the
 * gzip body as it came. From the meta alone recovery knows every stream's position; the body is
 * needed for lines that do not yet stand in their segments. So a body that is damaged after its
 * lines were written is no loss.
 *
 * A chunk's identity (instance, path, inode, birth time) is in the meta only when it is new. */
#ifndef HAUL_COLLECTOR_STORE_WALRECORD_H
#define HAUL_COLLECTOR_STORE_WALRECORD_H

#include "collector/store/render.h"
#include "collector/store/session.h"
#include "collector/store/shard.h"
#include "collector/store/stream.h"
#include "common/buf.h"

enum walrecord_type {
	WALRECORD_BATCH = 1,
	WALRECORD_SESSION = 2,
	WALRECORD_MOVE = 3,
};

/* Lines of one chunk that stand together. */
struct walrecord_lines {
	int32_t day;
	struct place place;
	uint64_t length, crc, lines;
	int64_t first_us, last_us;
};

struct walrecord_chunk {
	uint32_t index; /* in the batch */
	enum stream_judgement how;
	bool identity;       /* header has instance, path, ino and btime_ns, too */
	struct chunk header; /* host and bytes are not kept */
	struct render_terms terms;
	size_t n_lines;
	struct walrecord_lines *lines;
};

struct walrecord_batch {
	struct span host;
	uint64_t session;
	uint64_t inflated; /* length of the body when inflated */
	size_t n_chunks;
	struct walrecord_chunk *chunks;
	struct walrecord_lines *all_lines;
};

struct walrecord_move {
	int32_t day;
	struct span service, host;
	struct move move;
};

/* Coding a batch: its head, then each chunk that was taken with its lines. Errors are -ENOMEM; what
 * was appended before stays. */
int walrecord_begin_batch(const struct walrecord_batch *head, size_t n_lines,
			  struct buf *out) MUST_CHECK;
int walrecord_add_chunk(const struct walrecord_chunk *c, struct buf *out) MUST_CHECK;

int walrecord_encode_session(const struct session *s, struct buf *out) MUST_CHECK;
int walrecord_encode_move(const struct walrecord_move *m, struct buf *out) MUST_CHECK;

/* Spans of what is decoded point into `meta`. -EBADMSG when it is not such a record; -ENOMEM. */
int walrecord_decode_batch(struct span meta, struct walrecord_batch *ret) MUST_CHECK;
void walrecord_batch_free(struct walrecord_batch *b);
int walrecord_decode_session(struct span meta, struct session *ret) MUST_CHECK;
int walrecord_decode_move(struct span meta, struct walrecord_move *ret) MUST_CHECK;

#endif
