/* Writing slabs: see slab.h. Called by indexer.c.
 *
 * Blocks are ordered by the size of their filters, so that those of one size make a group; then the
 * filters are turned: 64 rows at a time, eight blocks by eight bits in a step. Needs the memory of
 * 64 rows beside the parts. */
#include "collector/store/slab.h"

#include "collector/store/filter.h"
#include "collector/store/le.h"
#include "collector/store/slab_format.h"
#include "common/file.h"

#include <stdlib.h>

enum {
	STRIPE = 64, /* rows at a time: a filter's size is a multiple of it */
	COUNTS_AT_ONCE = 1 << 18,
};

struct column {
	const struct part_block *block; /* NULL: padding */
	uint32_t segment;
	uint32_t ordinal; /* among the part's blocks */
};

struct writing {
	int fd;
	struct column *columns;
	uint32_t n_blocks, n_columns, n_groups, n_segments;
	int32_t first_day, last_day;
	struct buf meta, out;
	uint64_t at; /* bytes written */
	uint64_t counts_at;
};

static int put(struct writing *w, struct span bytes)
{
	int r = file_pwrite_all(w->fd, bytes, w->at);
	if (r == 0)
		w->at += bytes.len;
	return r;
}

static int flush(struct writing *w)
{
	int r = put(w, buf_span(&w->out));
	buf_clear(&w->out);
	return r;
}

static int by_bits(const void *a, const void *b)
{
	const struct column *x = a, *y = b;
	if (x->block->bits != y->block->bits)
		return x->block->bits < y->block->bits ? -1 : 1;
	if (x->segment != y->segment)
		return x->segment < y->segment ? -1 : 1;
	return (x->block->offset > y->block->offset) - (x->block->offset < y->block->offset);
}

static int gather(struct writing *w, const struct part *parts, size_t n)
{
	w->n_segments = (uint32_t)n;
	w->first_day = n ? CIVIL_MAX_DAY : 0;
	w->last_day = n ? CIVIL_MIN_DAY : 0;
	for (size_t i = 0; i < n; i++) {
		const struct part_segment *s = &parts[i].segment;
		w->n_blocks += s->n_blocks;
		w->first_day = s->day < w->first_day ? s->day : w->first_day;
		w->last_day = s->day > w->last_day ? s->day : w->last_day;
	}
	if (w->n_blocks > SLAB_BLOCKS_MAX || n > SLAB_SEGMENTS_MAX)
		return -EMSGSIZE;
	w->columns = calloc(SLAB_COLUMNS_MAX, sizeof(*w->columns));
	if (!w->columns)
		return -ENOMEM;
	uint32_t c = 0;
	for (size_t i = 0; i < n; i++)
		for (uint32_t b = 0; b < parts[i].segment.n_blocks; b++)
			w->columns[c++] = (struct column){&parts[i].blocks[b], (uint32_t)i, b};
	qsort(w->columns, c, sizeof(*w->columns), by_bits);
	return 0;
}

/* Moves the groups apart, so that each begins at a multiple of eight. From the last to the first;
 * the table has room for it. */
static int pad(struct writing *w)
{
	uint32_t columns = 0;
	for (uint32_t i = 0; i < w->n_blocks; i++) {
		bool begins = i == 0 || w->columns[i].block->bits != w->columns[i - 1].block->bits;
		if (begins)
			columns = (columns + 7) / 8 * 8;
		columns++;
	}
	w->n_columns = (columns + 7) / 8 * 8;
	if (w->n_columns > SLAB_COLUMNS_MAX)
		return -EMSGSIZE;
	uint32_t to = w->n_columns, from = w->n_blocks;
	while (from) {
		uint32_t end = from, bits = w->columns[from - 1].block->bits;
		while (from && w->columns[from - 1].block->bits == bits)
			from--;
		uint32_t n = end - from, first = to - (n + 7) / 8 * 8;
		memmove(&w->columns[first], &w->columns[from], n * sizeof(*w->columns));
		for (uint32_t i = first + n; i < to; i++)
			w->columns[i] = (struct column){NULL, SLAB_NO_SEGMENT, 0};
		to = first;
	}
	return 0;
}

/* --- blocks and traits --- */

static int write_columns(struct writing *w)
{
	struct le_writer out = {.out = &w->out};
	for (uint32_t c = 0; c < w->n_columns; c++) {
		static const struct part_block none;
		const struct part_block *b = w->columns[c].block ? w->columns[c].block : &none;
		size_t start = w->out.len;
		le_write_u32(&out, w->columns[c].segment);
		le_write_u32(&out, b->length);
		le_write_u64(&out, b->offset);
		le_write_i64(&out, b->first_us);
		le_write_i64(&out, b->last_us);
		le_write_u32(&out, b->plain_length);
		le_write_u32(&out, b->lines);
		le_write_u32(&out, w->columns[c].ordinal);
		if (out.error < 0)
			return out.error;
		le_write_u32(&out, (uint32_t)crc64_add(CRC64_EMPTY, w->out.ptr + start, 44));
	}
	return out.error < 0 ? out.error : flush(w);
}

/* The row's bits stand at the end of `out`: adds its sum. */
static int end_row(struct writing *w, size_t start)
{
	struct le_writer out = {.out = &w->out};
	le_write_u16(&out, slab_row_sum(w->out.ptr + start, w->out.len - start));
	return out.error;
}

static int write_traits(struct writing *w)
{
	for (unsigned trait = 0; trait < TOKEN_TRAITS; trait++) {
		size_t start = w->out.len;
		for (uint32_t c = 0; c < w->n_columns; c += 8) {
			unsigned byte = 0;
			for (uint32_t i = 0; i < 8; i++) {
				const struct part_block *b = w->columns[c + i].block;
				byte |= (b && part_block_trait(b, trait) ? 1U : 0U) << i;
			}
			int r = buf_add_char(&w->out, (char)byte);
			if (r < 0)
				return r;
		}
		int r = end_row(w, start);
		if (r < 0)
			return r;
	}
	return flush(w);
}

/* --- matrices --- */

/* Eight rows of eight bits, a byte each (row i is byte i): turned, so that bit i of byte k becomes
 * bit k of byte i. Hacker's Delight, 7-3. */
static uint64_t turn(uint64_t x)
{
	uint64_t t = (x ^ (x >> 7)) & UINT64_C(0x00aa00aa00aa00aa);
	x ^= t ^ (t << 7);
	t = (x ^ (x >> 14)) & UINT64_C(0x0000cccc0000cccc);
	x ^= t ^ (t << 14);
	t = (x ^ (x >> 28)) & UINT64_C(0x00000000f0f0f0f0);
	return x ^ t ^ (t << 28);
}

/* 64 rows from bit `first` on, each of `bytes` bytes and room for its sum. */
static void turn_stripe(const struct column *columns, uint32_t bytes, uint32_t first,
			uint8_t *stripe)
{
	size_t stride = bytes + SLAB_ROW_SUM;
	for (uint32_t c = 0; c < bytes; c++) {
		for (uint32_t part = 0; part < STRIPE / 8; part++) {
			uint64_t x = 0;
			for (unsigned i = 0; i < 8; i++) {
				const struct part_block *b = columns[c * 8 + i].block;
				if (b)
					x |= (uint64_t)b->filter[first / 8 + part] << (8 * i);
			}
			x = turn(x);
			for (unsigned i = 0; i < 8; i++)
				stripe[(part * 8 + i) * stride + c] = (uint8_t)(x >> (8 * i));
		}
	}
	for (uint32_t i = 0; i < STRIPE; i++) {
		uint8_t *row = stripe + i * stride;
		le_put(row + bytes, slab_row_sum(row, bytes), SLAB_ROW_SUM);
	}
}

static int write_matrix(struct writing *w, uint32_t first, uint32_t n)
{
	uint32_t bits = w->columns[first].block->bits, bytes = (n + 7) / 8;
	size_t size = STRIPE * ((size_t)bytes + SLAB_ROW_SUM);
	int r = buf_reserve(&w->out, size);
	for (uint32_t bit = 0; bit < bits && r == 0; bit += STRIPE) {
		turn_stripe(w->columns + first, bytes, bit, (uint8_t *)w->out.ptr);
		r = put(w, span_make(w->out.ptr, size));
	}
	return r;
}

static int write_group(struct writing *w, uint32_t first, uint32_t n)
{
	struct le_writer meta = {.out = &w->meta};
	le_write_u32(&meta, w->columns[first].block->bits);
	le_write_u32(&meta, first);
	le_write_u32(&meta, n);
	le_write_u32(&meta, 0);
	le_write_u64(&meta, w->at);
	w->n_groups++;
	return meta.error < 0 ? meta.error : write_matrix(w, first, n);
}

static int write_groups(struct writing *w)
{
	uint32_t first = 0;
	while (first < w->n_columns) {
		uint32_t n = 1, bits = w->columns[first].block->bits;
		while (first + n < w->n_columns && w->columns[first + n].block &&
		       w->columns[first + n].block->bits == bits)
			n++;
		int r = write_group(w, first, n);
		if (r < 0)
			return r;
		first += (n + 7) / 8 * 8;
	}
	return 0;
}

/* --- counts, meta and header --- */

static int write_counts(struct writing *w, const struct part *parts)
{
	struct le_writer meta = {.out = &w->meta};
	int r = 0;
	w->counts_at = w->at;
	for (uint32_t i = 0; i < w->n_segments && r == 0; i++) {
		size_t start = w->out.len;
		r = part_counts_encode(&parts[i], &w->out);
		size_t length = w->out.len - start;
		le_write_u32(&meta, (uint32_t)length);
		le_write_u32(&meta, (uint32_t)crc64_add(CRC64_EMPTY, w->out.ptr + start, length));
		if (r == 0 && w->out.len > COUNTS_AT_ONCE)
			r = flush(w);
	}
	if (r == 0)
		r = flush(w);
	return r < 0 ? r : meta.error;
}

static int write_meta(struct writing *w, const struct part *parts)
{
	int r = 0;
	for (uint32_t i = 0; i < w->n_segments && r == 0; i++)
		r = part_segment_encode(&parts[i].segment, &w->meta);
	return r < 0 ? r : put(w, buf_span(&w->meta));
}

static int write_header(struct writing *w)
{
	char h[SLAB_HEADER_LEN] = SLAB_MAGIC;
	le_put(h + SLAB_AT_VERSION, SLAB_VERSION, 4);
	le_put(h + SLAB_AT_SEGMENTS, w->n_segments, 4);
	le_put(h + SLAB_AT_BLOCKS, w->n_blocks, 4);
	le_put(h + SLAB_AT_COLUMNS, w->n_columns, 4);
	le_put(h + SLAB_AT_GROUPS, w->n_groups, 4);
	le_put(h + SLAB_AT_FIRST_DAY, (uint32_t)w->first_day, 4);
	le_put(h + SLAB_AT_LAST_DAY, (uint32_t)w->last_day, 4);
	le_put(h + SLAB_AT_META, w->at - w->meta.len, 8);
	le_put(h + SLAB_AT_META_LEN, w->meta.len, 8);
	le_put(h + SLAB_AT_COUNTS, w->counts_at, 8);
	le_put(h + SLAB_AT_META_CRC, crc64_add(CRC64_EMPTY, w->meta.ptr, w->meta.len), 8);
	le_put(h + SLAB_AT_CRC, crc64_add(CRC64_EMPTY, h, SLAB_AT_CRC), 8);
	return file_pwrite_all(w->fd, span_make(h, sizeof(h)), 0);
}

int slab_write(int fd, const struct part *parts, size_t n)
{
	struct writing w = {.fd = fd, .at = SLAB_HEADER_LEN};
	int r = gather(&w, parts, n);
	if (r == 0)
		r = pad(&w);
	if (r == 0)
		r = write_columns(&w);
	if (r == 0)
		r = write_traits(&w);
	if (r == 0)
		r = write_groups(&w);
	if (r == 0)
		r = write_counts(&w, parts);
	if (r == 0)
		r = write_meta(&w, parts);
	if (r == 0)
		r = write_header(&w);
	free(w.columns);
	buf_free(&w.meta);
	buf_free(&w.out);
	return r;
}
