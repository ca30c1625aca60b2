/* Which parts of a segment to read: see blocks.h. Called by the search's threads, once a
 * segment.
 *
 * Plain files are parted in ranges, so that all cores can read one file; sealed ones at
 * their frames, some of them together, so that handing out work costs nothing beside
 * doing it. A gzip file's members cannot be found without inflating: it is one piece. */
#include "collector/query/blocks.h"

#include "collector/query/zstdfile.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define PLAIN_PIECE UINT64_C(4194304)
#define ZSTD_PIECE  UINT64_C(262144) /* compressed; some 2 to 4 MiB of lines */

struct frames {
	struct pieces *pieces;
	uint32_t ordinal;
	bool open; /* the last piece may grow */
};

int pieces_add(struct pieces *p, struct piece piece)
{
	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 64;
		struct piece *more = realloc(p->items, cap * sizeof(*more));
		if (!more)
			return -ENOMEM;
		p->items = more;
		p->cap = cap;
	}
	assert(p->items);
	p->items[p->n++] = piece;
	return 0;
}

void pieces_free(struct pieces *p)
{
	free(p->items);
	*p = (struct pieces){0};
}

static int add_frame(void *user, uint64_t at, uint64_t length)
{
	struct frames *f = user;
	struct piece *last = f->open ? &f->pieces->items[f->pieces->n - 1] : NULL;
	if (last && last->to - last->from < ZSTD_PIECE) {
		last->to = at + length;
		return 0;
	}
	f->open = true;
	return pieces_add(f->pieces, (struct piece){f->ordinal, at, at + length});
}

static int add_ranges(uint32_t ordinal, uint64_t size, struct pieces *ret)
{
	for (uint64_t from = 0; from < size; from += PLAIN_PIECE) {
		uint64_t to = size - from < PLAIN_PIECE ? size : from + PLAIN_PIECE;
		int r = pieces_add(ret, (struct piece){ordinal, from, to});
		if (r < 0)
			return r;
	}
	return 0;
}

/* Blocks that stand beside each other are read together. */
static int add_blocks(uint32_t ordinal, const struct index_blocks *blocks, struct pieces *ret)
{
	size_t first = ret->n;
	for (size_t i = 0; i < blocks->n; i++) {
		uint64_t from = blocks->items[i].offset, to = from + blocks->items[i].length;
		struct piece *last = ret->n > first ? &ret->items[ret->n - 1] : NULL;
		if (last && last->to == from && last->to - last->from < ZSTD_PIECE) {
			last->to = to;
			continue;
		}
		int r = pieces_add(ret, (struct piece){ordinal, from, to});
		if (r < 0)
			return r;
	}
	return 0;
}

int blocks_choose(const struct segment *segment, uint32_t ordinal, int fd,
		  const struct lookup *lookup, struct pieces *ret)
{
	struct frames frames = {.pieces = ret, .ordinal = ordinal};
	struct index_blocks blocks;
	if (lookup_find(lookup, segment, &blocks))
		return add_blocks(ordinal, &blocks, ret);
	switch (segment->form) {
	case SEGMENT_LIVE:
	case SEGMENT_CLOSED: return add_ranges(ordinal, segment->size, ret);
	case SEGMENT_ZSTD: return zstdfile_walk(fd, segment->size, add_frame, &frames);
	case SEGMENT_GZIP: return pieces_add(ret, (struct piece){ordinal, 0, segment->size});
	}
	return -EINVAL;
}
