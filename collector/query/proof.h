/* What is proven of a log file: the bytes that have arrived, and those that have not. */
#ifndef HAUL_COLLECTOR_QUERY_PROOF_H
#define HAUL_COLLECTOR_QUERY_PROOF_H

#include "collector/query/printer.h"
#include "collector/store/account.h"

enum proof_hole {
	PROOF_LOST, /* the agent could not save them */
	PROOF_GAP,  /* the collector's record of them was damaged */
};

struct proof_range {
	uint64_t from, to;
	bool proven;
	enum proof_hole hole;            /* when not */
	const struct account_loss *loss; /* PROOF_LOST: the cause */
};

/* The stream's bytes from start to offset, in order, each once. Zero it, and set `stream`;
 * proof_free at the end. */
struct proof {
	const struct account_stream *stream;
	struct proof_range *ranges;
	size_t n, capacity;
	uint64_t proven_bytes, lost_bytes, gap_bytes;
};

int proof_make(struct proof *p, const struct account_stream *s) MUST_CHECK;
void proof_free(struct proof *p);

static inline bool proof_complete(const struct proof *p)
{
	return !p->lost_bytes && !p->gap_bytes && p->stream->known;
}

/* Streams as text, those with one path together. Zero it to begin. */
struct proof_group {
	char *host, *path;
	struct buf service, text;
	uint64_t streams, losses, gaps;
};

/* Adds to the group, and prints the one before when another begins. Errors: as of the printer. */
int proof_print_text(struct proof_group *g, struct printer *out, const struct proof *p) MUST_CHECK;
/* Prints the last group. */
int proof_print_end(struct proof_group *g, struct printer *out) MUST_CHECK;
void proof_group_free(struct proof_group *g);

/* One object, one line. */
int proof_print_json(struct printer *out, const struct proof *p) MUST_CHECK;

/* "2026-11-22T05:40:00Z". */
int proof_add_time(struct buf *out, int64_t us) MUST_CHECK;

#endif
