/* Which parts of a segment to read: see blocks.h. Called by the search's threads, once a segment.
 *
 * Plain files are parted in ranges, so that all cores can read one file; sealed ones at their
 * frames, some of them together, so that handing out work costs nothing beside doing it. A gzip
 * file's members cannot be found without inflating: it is one piece. */
#include "collector/query/blocks.h"

#include "collector/query/zstdfile.h"
#include "common/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PLAIN_PIECE UINT64_C(4194304)
#define ZSTD_PIECE  UINT64_C(262144) /* compressed; some 2 to 4 MiB of lines */

struct frames {
	struct pieces *pieces;
	uint32_t ordinal;
	bool open; /* the last piece may grow */
};

int pieces_add(struct pieces *p, struct piece piece)
{
	int r = array_room(&p->items, p->n, &p->cap, sizeof(*p->items));
	if (r == 0)
		p->items[p->n++] = piece;
	return r;
}

int pieces_join(struct pieces *p, size_t first, struct piece piece, bool plain)
{
	struct piece *last = p->n > first ? &p->items[p->n - 1] : NULL;
	if (!last || last->to != piece.from ||
	    last->to - last->from >= (plain ? PLAIN_PIECE : ZSTD_PIECE))
		return pieces_add(p, piece);
	last->to = piece.to;
	return 0;
}

void pieces_free(struct pieces *p)
{
	free(p->items);
	*p = (struct pieces){0};
}

/* --- blocks that are done --- */

enum { WORD_BITS = 64 };

void block_set_clear(struct block_set *s)
{
	if (s->n)
		memset(s->bits, 0, s->words * sizeof(*s->bits));
	s->n = 0;
}

void block_set_free(struct block_set *s)
{
	free(s->bits);
	*s = (struct block_set){.n = 0};
}

int block_set_add(struct block_set *s, uint32_t block)
{
	size_t word = block / WORD_BITS;
	if (word >= s->words) {
		size_t words = s->words ? s->words * 2 : 16;
		words = words > word ? words : word + 1;
		uint64_t *bits = realloc(s->bits, words * sizeof(*bits));
		if (!bits)
			return -ENOMEM;
		memset(bits + s->words, 0, (words - s->words) * sizeof(*bits));
		s->bits = bits;
		s->words = words;
	}
	s->bits[word] |= UINT64_C(1) << block % WORD_BITS;
	s->n++;
	return 0;
}

static bool is_done(const struct block_set *s, uint32_t block)
{
	return block / WORD_BITS < s->words && s->bits[block / WORD_BITS] >> block % WORD_BITS & 1;
}

/* --- */

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

static int add_ranges(uint32_t ordinal, uint64_t from, uint64_t size, struct pieces *ret)
{
	for (; from < size; from += PLAIN_PIECE) {
		uint64_t to = size - from < PLAIN_PIECE ? size : from + PLAIN_PIECE;
		int r = pieces_add(ret, (struct piece){ordinal, from, to});
		if (r < 0)
			return r;
	}
	return 0;
}

/* Blocks that stand beside each other are read together. */
static int add_blocks(uint32_t ordinal, const struct index_blocks *blocks,
		      const struct block_set *done, struct pieces *ret)
{
	size_t first = ret->n;
	for (size_t i = 0; i < blocks->n; i++) {
		if (is_done(done, blocks->items[i].block))
			continue;
		uint64_t from = blocks->items[i].offset, to = from + blocks->items[i].length;
		int r = pieces_join(ret, first, (struct piece){ordinal, from, to}, false);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A plain file: what the index of live files knows of its blocks, and all that is behind them.
 * Blocks end at line ends, so a line belongs to the block in which it begins. */
static int add_plain(const struct segment *segment, uint32_t ordinal, int fd,
		     const struct lookup *lookup, struct pieces *ret)
{
	struct slab_hits hits = {0};
	uint64_t covered = 0, size = segment->size;
	size_t first = ret->n;
	int r = lookup_live(lookup, segment, fd, &hits, &covered);
	for (size_t i = 0; i < hits.n && r == 0 && hits.items[i].offset < size; i++) {
		uint64_t from = hits.items[i].offset, to = from + hits.items[i].length;
		r = pieces_join(ret, first, (struct piece){ordinal, from, to < size ? to : size},
				true);
	}
	slab_hits_free(&hits);
	return r < 0 ? r : add_ranges(ordinal, covered, size, ret);
}

bool blocks_any(const struct segment *segment, const struct lookup *lookup,
		const struct block_set *done)
{
	struct index_blocks blocks;
	if (!lookup_find(lookup, segment, &blocks))
		return true;
	for (size_t i = 0; i < blocks.n; i++)
		if (!is_done(done, blocks.items[i].block))
			return true;
	return false;
}

int blocks_choose(const struct segment *segment, uint32_t ordinal, int fd,
		  const struct lookup *lookup, const struct block_set *done, struct pieces *ret)
{
	struct frames frames = {.pieces = ret, .ordinal = ordinal};
	struct index_blocks blocks;
	if (lookup_find(lookup, segment, &blocks))
		return add_blocks(ordinal, &blocks, done, ret);
	switch (segment->form) {
	case SEGMENT_LIVE:
	case SEGMENT_CLOSED: return add_plain(segment, ordinal, fd, lookup, ret);
	case SEGMENT_ZSTD: return zstdfile_walk(fd, segment->size, add_frame, &frames);
	case SEGMENT_GZIP: return pieces_add(ret, (struct piece){ordinal, 0, segment->size});
	}
	return -EINVAL;
}
