/* Rewinding: see rewind.h. Called by the shipper for whatever is not a plain commit.
 *
 * Memory that is short makes it read from the files what the batches still had; nothing fails. */
#include "agent/ship/rewind.h"

#include <assert.h>

/* Appends what one batch holds of a source behind *next; false when there is a gap (a hole or a
 * loss has no bytes), behind which everything comes from the file again. */
static bool gather(const struct batcher *b, const struct source *src, uint64_t *next,
		   struct buf *raw)
{
	for (size_t i = 0; b && i < b->n_chunks; i++) {
		const struct batcher_chunk *c = &b->chunks[i];
		if (c->source != src || c->from.offset < *next)
			continue;
		if (c->from.offset != *next || c->raw_len != c->to.offset - c->from.offset)
			return false;
		if (buf_add(raw, b->raw.ptr + c->raw_at, c->raw_len) < 0)
			return false;
		*next = c->to.offset;
	}
	return true;
}

/* What chunks without bytes had said is to be said again. */
static void retell(struct source_table *t, const struct batcher *b, struct source *src)
{
	for (size_t i = 0; b && i < b->n_chunks; i++) {
		const struct batcher_chunk *c = &b->chunks[i];
		if (c->source != src || c->from.offset < src->committed.offset)
			continue;
		if (c->lost_cause && src->lost_from == src->lost_to) {
			src->lost_from = c->from.offset;
			src->lost_to = c->to.offset;
			src->lost_cause = c->lost_cause;
		}
		if (c->ended && src->state == SOURCE_ENDING)
			source_move(t, src, SOURCE_DRAINED);
	}
}

static void rewind_source(struct source_table *t, const struct batcher *first,
			  const struct batcher *second, struct source *src)
{
	struct buf raw = BUF_EMPTY;
	uint64_t next = src->committed.offset;
	if (gather(first, src, &next, &raw))
		(void)gather(second, src, &next, &raw);
	int r = source_rewind(t, src, buf_span(&raw));
	if (r < 0) /* memory is short: the bytes come from the file */
		r = source_rewind(t, src, (struct span){NULL, 0});
	assert(r == 0);
	retell(t, first, src);
	retell(t, second, src);
	source_set_ready(t, src);
	buf_free(&raw);
}

static void rewind_those_of(struct source_table *t, const struct batcher *first,
			    const struct batcher *second, const struct batcher *b)
{
	for (size_t i = 0; b && i < b->n_chunks; i++) {
		struct source *src = b->chunks[i].source;
		/* One that was rewound already, or that is all committed, has nothing between the
		 * two. */
		if (src->cursor.offset != src->committed.offset || b->chunks[i].ended)
			rewind_source(t, first, second, src);
	}
}

void rewind_batches(struct source_table *t, const struct batcher *first,
		    const struct batcher *second)
{
	rewind_those_of(t, first, second, first);
	rewind_those_of(t, first, second, second);
}
