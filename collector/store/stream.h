/* One stream as the collector knows it, and the rule by which chunks are taken: compare and append.
 *
 * A stream's position is the pair (offset, checksum of the source bytes before it). A chunk is
 * appended only when its `from` and `crc_from` are that pair. Judging is pure: it reads a stream
 * and a chunk, nothing else, and the same function serves live traffic and its tests.
 *
 * A gap is a range below the offset whose record was damaged on this side; a chunk with `repair`
 * may fill it, from its beginning and never beyond its end.
 *
 * Guarded by the store's lock. */
#ifndef HAUL_COLLECTOR_STORE_STREAM_H
#define HAUL_COLLECTOR_STORE_STREAM_H

#include "collector/store/stream_set.h"
#include "common/chunk.h"
#include "common/list.h"
#include "common/stream_id.h"

struct host;

struct gap {
	uint64_t from, to;
	uint64_t base; /* the checksums cover [base, from) and [base, to) */
	uint64_t crc_from, crc_to;
	bool crc_to_known;
};

struct stream {
	struct stream_id id;
	struct host *host;
	uint64_t row; /* in the ledger */
	uint64_t start, base, offset, crc;
	uint64_t ino;
	int64_t btime_ns;
	int64_t born_us, last_us; /* first and latest chunk taken; time of receipt */
	/* What it brought, for verify. */
	uint64_t lines, dropped; /* stored, left out by the agent's filters */
	uint64_t stored_bytes;   /* of rendered lines */
	uint64_t lost_bytes;     /* source bytes that loss chunks covered */
	char *text;              /* service, instance, path, one after another */
	char *state;             /* the framer's, opaque */
	struct gap *gaps;        /* by `from` */
	size_t n_gaps;
	uint16_t service_len, instance_len, path_len;
	uint16_t state_len, state_capacity;
	uint32_t weight; /* the memory it takes, as its host was last told (streams.c) */
	bool ended;
	bool gaps_changed;            /* since the ledger was written */
	struct list_node dirty;       /* linked: changed since the last checkpoint */
	struct stream_node node;      /* in one of its host's sets */
	struct list_node ended_order; /* linked: it has ended */
};

enum stream_judgement {
	STREAM_BIRTH,  /* taken: the stream begins with this chunk */
	STREAM_APPEND, /* taken: it goes on */
	STREAM_REPAIR, /* taken: it fills a gap */
	STREAM_DUPLICATE,
	STREAM_CONFLICT,
};

static inline bool stream_taken(enum stream_judgement j)
{
	return j == STREAM_BIRTH || j == STREAM_APPEND || j == STREAM_REPAIR;
}

/* `s` is NULL when the host has no such stream. */
enum stream_judgement stream_judge(const struct stream *s, const struct chunk *c);

/* A stream that stands at the chunk's start, with its identity; NULL when memory is short. */
struct stream *stream_new(struct host *host, const struct chunk *c);
void stream_free(struct stream *s);

struct span stream_service(const struct stream *s);
struct span stream_instance(const struct stream *s);
struct span stream_path(const struct stream *s);
struct span stream_state(const struct stream *s);

/* The memory that a stream takes: as it is, and with what the chunk says. */
size_t stream_weight(const struct stream *s);
size_t stream_weight_with(const struct chunk *c);

/* Does the chunk tell another service, instance, path, inode or birth time than the stream has? */
bool stream_identity_differs(const struct stream *s, const struct chunk *c);

/* Makes what stream_apply then needs and cannot ask for: -ENOMEM, and nothing has changed. */
int stream_prepare(struct stream *s, const struct chunk *c) MUST_CHECK;

/* Takes a chunk that was judged so and prepared for: position, state, sums. `stored` is the length
 * of its rendered lines. With `identity` the chunk's own is taken, too: -ENOMEM, then all else has
 * happened and the stream keeps the old one. */
int stream_apply(struct stream *s, const struct chunk *c, enum stream_judgement how,
		 uint64_t stored, int64_t received_us, bool identity) MUST_CHECK;

/* Recovery: the record that brought the stream to the chunk's `from` is damaged. Leaves a gap and
 * goes there. -ENOMEM. */
int stream_jump(struct stream *s, const struct chunk *c) MUST_CHECK;
int stream_add_gap(struct stream *s, struct gap gap) MUST_CHECK;

#endif
