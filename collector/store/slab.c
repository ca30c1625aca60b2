/* Reading slabs: see slab.h. Called by index.c for the reader, by indexer.c to look after them.
 *
 * Of a slab its header and meta are read when it is opened; of the rest only the rows, block
 * entries and counts that a question needs. Everything that is read has a checksum: a bit that
 * flipped must not hide a line, so damage makes the slab unusable, which costs speed only. */
#include "collector/store/slab.h"

#include "collector/store/filter.h"
#include "collector/store/le.h"
#include "collector/store/slab_format.h"
#include "common/file.h"
#include "common/num.h"

#include <stdlib.h>
#include <sys/stat.h>

enum { ENTRIES_AT_ONCE = 64 };

struct group {
	uint32_t bits, first_column, columns; /* columns: without padding */
	uint64_t at;                          /* of its matrix */
};

/* Where the counts of a segment stand. */
struct counted {
	uint64_t at;
	uint32_t length, sum;
};

struct slab {
	int fd;
	uint64_t size, counts_at;
	struct buf meta; /* what segments point into */
	struct part_segment *segments;
	struct group *groups;
	struct counted *counted; /* of each segment */
	uint32_t n_segments, n_blocks, n_columns, n_groups;
	int32_t first_day, last_day;
	uint8_t *row, *trait; /* scratch: the longest row with its sum */
};

/* --- hits --- */

int slab_hits_add(struct slab_hits *h, struct slab_hit hit)
{
	if (h->n == h->capacity) {
		size_t capacity = h->capacity ? h->capacity * 2 : 64;
		struct slab_hit *items = realloc(h->items, capacity * sizeof(*items));
		if (!items)
			return -ENOMEM;
		h->items = items;
		h->capacity = capacity;
	}
	h->items[h->n++] = hit;
	return 0;
}

static int compare_hits(const void *a, const void *b)
{
	const struct slab_hit *x = a, *y = b;
	if (x->segment != y->segment)
		return x->segment < y->segment ? -1 : 1;
	return (x->offset > y->offset) - (x->offset < y->offset);
}

void slab_hits_sort(struct slab_hits *h)
{
	if (h->n)
		qsort(h->items, h->n, sizeof(*h->items), compare_hits);
}

void slab_hits_free(struct slab_hits *h)
{
	free(h->items);
	*h = (struct slab_hits){0};
}

/* --- opening --- */

static uint64_t row_bytes(uint32_t columns)
{
	return (columns + 7) / 8;
}

static uint64_t row_stride(uint32_t columns)
{
	return row_bytes(columns) + SLAB_ROW_SUM;
}

static uint64_t traits_at(const struct slab *s)
{
	return SLAB_HEADER_LEN + (uint64_t)s->n_columns * SLAB_COLUMN_LEN;
}

static int read_exactly(const struct slab *s, void *dst, size_t size, uint64_t at)
{
	ssize_t n = file_pread_full(s->fd, dst, size, at);
	return n < 0 ? (int)n : (size_t)n == size ? 0 : -EBADMSG;
}

static int read_header(struct slab *s, uint64_t *ret_meta_len, uint64_t *ret_meta_crc)
{
	char h[SLAB_HEADER_LEN];
	struct stat st;
	if (fstat(s->fd, &st) < 0)
		return -errno;
	s->size = (uint64_t)st.st_size;
	int r = read_exactly(s, h, sizeof(h), 0);
	if (r < 0)
		return r;
	if (memcmp(h, SLAB_MAGIC, 8) != 0 ||
	    crc64_add(CRC64_EMPTY, h, SLAB_AT_CRC) != le_get(h + SLAB_AT_CRC, 8))
		return -EBADMSG;
	if (le_get(h + SLAB_AT_VERSION, 4) != SLAB_VERSION)
		return -EPROTONOSUPPORT;
	s->n_segments = (uint32_t)le_get(h + SLAB_AT_SEGMENTS, 4);
	s->n_blocks = (uint32_t)le_get(h + SLAB_AT_BLOCKS, 4);
	s->n_columns = (uint32_t)le_get(h + SLAB_AT_COLUMNS, 4);
	s->n_groups = (uint32_t)le_get(h + SLAB_AT_GROUPS, 4);
	s->first_day = (int32_t)(uint32_t)le_get(h + SLAB_AT_FIRST_DAY, 4);
	s->last_day = (int32_t)(uint32_t)le_get(h + SLAB_AT_LAST_DAY, 4);
	uint64_t meta = le_get(h + SLAB_AT_META, 8), len = le_get(h + SLAB_AT_META_LEN, 8), end;
	*ret_meta_crc = le_get(h + SLAB_AT_META_CRC, 8);
	s->counts_at = le_get(h + SLAB_AT_COUNTS, 8);
	*ret_meta_len = len;
	if (s->n_columns > SLAB_COLUMNS_MAX || s->n_columns % 8 || s->n_groups > s->n_columns ||
	    s->n_segments > SLAB_SEGMENTS_MAX || len > SLAB_META_MAX ||
	    !num_add_u64(meta, len, &end) || end != s->size)
		return -EBADMSG;
	return 0;
}

static int read_groups(struct slab *s, struct span *meta)
{
	struct le_reader r = {.rest = *meta};
	uint64_t at = traits_at(s) + TOKEN_TRAITS * row_stride(s->n_columns);
	uint32_t column = 0;
	for (uint32_t i = 0; i < s->n_groups; i++) {
		struct group *g = &s->groups[i];
		g->bits = le_read_u32(&r);
		g->first_column = le_read_u32(&r);
		g->columns = le_read_u32(&r);
		(void)le_read_u32(&r);
		g->at = le_read_u64(&r);
		if (r.bad || !filter_valid_bits(g->bits) || g->first_column != column ||
		    g->columns > s->n_columns - column || g->at != at)
			return -EBADMSG;
		column += (uint32_t)(row_bytes(g->columns) * 8);
		at += g->bits * row_stride(g->columns);
	}
	*meta = r.rest;
	return column == s->n_columns ? 0 : -EBADMSG;
}

static int read_counted(struct slab *s, struct span *meta, uint64_t end)
{
	struct le_reader r = {.rest = *meta};
	uint64_t at = s->counts_at;
	for (uint32_t i = 0; i < s->n_segments; i++) {
		struct counted *c = &s->counted[i];
		c->at = at;
		c->length = le_read_u32(&r);
		c->sum = le_read_u32(&r);
		if (r.bad || at > end || c->length > end - at)
			return -EBADMSG;
		at += c->length;
	}
	*meta = r.rest;
	return at == end ? 0 : -EBADMSG;
}

static int read_meta(struct slab *s)
{
	uint64_t len = 0, crc = 0;
	int r = read_header(s, &len, &crc);
	if (r == 0)
		r = buf_reserve(&s->meta, (size_t)len);
	if (r == 0)
		r = read_exactly(s, s->meta.ptr, (size_t)len, s->size - len);
	if (r < 0)
		return r;
	s->meta.len = (size_t)len;
	if (crc64_add(CRC64_EMPTY, s->meta.ptr, s->meta.len) != crc)
		return -EBADMSG;
	s->segments = calloc(s->n_segments + 1, sizeof(*s->segments));
	s->groups = calloc(s->n_groups + 1, sizeof(*s->groups));
	s->counted = calloc(s->n_segments + 1, sizeof(*s->counted));
	s->row = malloc(row_stride(s->n_columns));
	s->trait = malloc(row_stride(s->n_columns));
	if (!s->segments || !s->groups || !s->counted || !s->row || !s->trait)
		return -ENOMEM;
	struct span meta = buf_span(&s->meta);
	r = read_groups(s, &meta);
	if (r == 0)
		r = read_counted(s, &meta, s->size - len);
	for (uint32_t i = 0; i < s->n_segments && r == 0; i++)
		r = part_segment_decode(&meta, &s->segments[i]);
	return r;
}

int slab_open(int fd, struct slab **ret)
{
	struct slab *s = calloc(1, sizeof(*s));
	if (!s) {
		file_close(&fd);
		return -ENOMEM;
	}
	s->fd = fd;
	int r = read_meta(s);
	if (r < 0) {
		slab_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void slab_free(struct slab *s)
{
	if (!s)
		return;
	file_close(&s->fd);
	buf_free(&s->meta);
	free(s->segments);
	free(s->groups);
	free(s->counted);
	free(s->row);
	free(s->trait);
	free(s);
}

size_t slab_segments(const struct slab *s)
{
	return s->n_segments;
}

const struct part_segment *slab_segment(const struct slab *s, size_t i)
{
	return &s->segments[i];
}

int slab_counts(const struct slab *s, size_t i, struct buf *ret)
{
	const struct counted *c = &s->counted[i];
	buf_clear(ret);
	int r = buf_reserve(ret, c->length);
	if (r == 0)
		r = read_exactly(s, ret->ptr, c->length, c->at);
	if (r == 0 && (uint32_t)crc64_add(CRC64_EMPTY, ret->ptr, c->length) != c->sum)
		r = -EBADMSG;
	ret->len = r == 0 ? c->length : 0;
	return r;
}

int32_t slab_first_day(const struct slab *s)
{
	return s->first_day;
}

int32_t slab_last_day(const struct slab *s)
{
	return s->last_day;
}

size_t slab_blocks(const struct slab *s)
{
	return s->n_blocks;
}

/* --- searching --- */

static int read_row(const struct slab *s, uint64_t at, uint32_t columns, uint8_t *dst)
{
	size_t len = row_bytes(columns);
	int r = read_exactly(s, dst, row_stride(columns), at);
	if (r == 0 && slab_row_sum(dst, len) != le_get(dst + len, SLAB_ROW_SUM))
		r = -EBADMSG;
	return r;
}

static bool is_empty(const uint8_t *bits, size_t len)
{
	uint8_t any = 0;
	for (size_t i = 0; i < len; i++)
		any |= bits[i];
	return any == 0;
}

/* The bits of a group's blocks, in the making. */
struct bits {
	uint8_t term[SLAB_COLUMNS_MAX / 8], word[SLAB_COLUMNS_MAX / 8];
	uint8_t need[SLAB_COLUMNS_MAX / 8], all[SLAB_COLUMNS_MAX / 8];
};

/* Which blocks of the group satisfy the term. */
static int search_term(struct slab *s, const struct group *g, const struct token_term *t,
		       uint8_t *ret)
{
	size_t len = row_bytes(g->columns);
	uint32_t probes[FILTER_PROBES];
	filter_probe(t->hash, g->bits, probes);
	memset(ret, 0xff, len);
	for (unsigned i = 0; i < FILTER_PROBES && !is_empty(ret, len); i++) {
		int r = read_row(s, g->at + probes[i] * row_stride(g->columns), g->columns, s->row);
		if (r < 0)
			return r;
		for (size_t k = 0; k < len; k++)
			ret[k] &= s->row[k];
	}
	if (t->trait >= TOKEN_TRAITS)
		return 0;
	int r = read_row(s, traits_at(s) + t->trait * row_stride(s->n_columns), s->n_columns,
			 s->trait);
	for (size_t k = 0; k < len; k++)
		ret[k] |= s->trait[g->first_column / 8 + k];
	return r;
}

static bool says_nothing(const struct slab_need *need)
{
	for (size_t i = 0; i < need->n; i++)
		if (need->words[i].n == 0)
			return true;
	return need->n == 0;
}

static int search_need(struct slab *s, const struct group *g, const struct slab_need *need,
		       struct bits *b)
{
	size_t len = row_bytes(g->columns);
	memset(b->need, 0, len);
	for (size_t i = 0; i < need->n; i++) {
		const struct token_terms *word = &need->words[i];
		memset(b->word, 0xff, len);
		for (size_t k = 0; k < word->n && !is_empty(b->word, len); k++) {
			int r = search_term(s, g, &word->items[k], b->term);
			if (r < 0)
				return r;
			for (size_t j = 0; j < len; j++)
				b->word[j] &= b->term[j];
		}
		for (size_t j = 0; j < len; j++)
			b->need[j] |= b->word[j];
	}
	return 0;
}

/* What a block's entry says: its times, and where it stands. */
static int add_hit(struct slab *s, const char *e, const struct slab_query *q, struct slab_hits *ret)
{
	if ((uint32_t)crc64_add(CRC64_EMPTY, e, 44) != le_get(e + 44, 4))
		return -EBADMSG;
	struct slab_hit hit = {.segment = (uint32_t)le_get(e, 4),
			       .length = (uint32_t)le_get(e + 4, 4),
			       .offset = le_get(e + 8, 8),
			       .plain_length = (uint32_t)le_get(e + 32, 4),
			       .block = (uint32_t)le_get(e + 40, 4),
			       .first_us = (int64_t)le_get(e + 16, 8)};
	int64_t last_us = (int64_t)le_get(e + 24, 8);
	if (hit.segment == SLAB_NO_SEGMENT || hit.first_us >= q->until_us || last_us < q->since_us)
		return 0;
	if (hit.segment >= s->n_segments)
		return -EBADMSG;
	const struct part_segment *segment = &s->segments[hit.segment];
	hit.block += segment->first_block;
	if (hit.offset > segment->size || hit.length > segment->size - hit.offset ||
	    hit.block >= segment->blocks)
		return -EBADMSG;
	return slab_hits_add(ret, hit);
}

/* Entries that stand close to each other are read together. */
static int add_hits(struct slab *s, const struct group *g, const uint8_t *bits,
		    const struct slab_query *q, struct slab_hits *ret)
{
	char entries[ENTRIES_AT_ONCE * SLAB_COLUMN_LEN];
	int r = 0;
	for (uint32_t c = 0; c < g->columns && r == 0; c += ENTRIES_AT_ONCE) {
		uint32_t n = g->columns - c < ENTRIES_AT_ONCE ? g->columns - c : ENTRIES_AT_ONCE;
		uint32_t first = n, last = 0;
		for (uint32_t i = 0; i < n; i++) {
			if (!(bits[(c + i) / 8] >> ((c + i) % 8) & 1))
				continue;
			first = first < i ? first : i;
			last = i;
		}
		if (first == n)
			continue;
		uint64_t at =
			SLAB_HEADER_LEN + (uint64_t)(g->first_column + c + first) * SLAB_COLUMN_LEN;
		r = read_exactly(s, entries, (size_t)(last + 1 - first) * SLAB_COLUMN_LEN, at);
		for (uint32_t i = first; i <= last && r == 0; i++)
			if (bits[(c + i) / 8] >> ((c + i) % 8) & 1)
				r = add_hit(s, entries + (size_t)(i - first) * SLAB_COLUMN_LEN, q,
					    ret);
	}
	return r;
}

static int search_group(struct slab *s, const struct group *g, const struct slab_query *q,
			struct bits *b, struct slab_hits *ret)
{
	size_t len = row_bytes(g->columns);
	memset(b->all, 0xff, len);
	for (size_t i = 0; i < q->n_needs && !is_empty(b->all, len); i++) {
		if (says_nothing(&q->needs[i]))
			continue;
		int r = search_need(s, g, &q->needs[i], b);
		if (r < 0)
			return r;
		for (size_t k = 0; k < len; k++)
			b->all[k] &= b->need[k];
	}
	return add_hits(s, g, b->all, q, ret);
}

int slab_search(struct slab *s, const struct slab_query *q, struct slab_hits *ret)
{
	size_t before = ret->n;
	struct bits *b = malloc(sizeof(*b));
	int r = b ? 0 : -ENOMEM;
	for (uint32_t i = 0; i < s->n_groups && r == 0; i++)
		r = search_group(s, &s->groups[i], q, b, ret);
	free(b);
	if (r < 0)
		ret->n = before;
	return r;
}

static bool has_term(const struct part_block *b, const struct token_term *t)
{
	return filter_has(b->filter, b->bits, t->hash) || part_block_trait(b, t->trait);
}

static bool has_word(const struct part_block *b, const struct token_terms *word)
{
	for (size_t i = 0; i < word->n; i++)
		if (!has_term(b, &word->items[i]))
			return false;
	return true;
}

bool slab_asks_block(const struct slab_query *q, const struct part_block *b)
{
	if (b->first_us >= q->until_us || b->last_us < q->since_us)
		return false;
	for (size_t i = 0; i < q->n_needs; i++) {
		const struct slab_need *need = &q->needs[i];
		size_t k = 0;
		while (k < need->n && !has_word(b, &need->words[k]))
			k++;
		if (k == need->n && !says_nothing(need))
			return false;
	}
	return true;
}

int slab_verify(struct slab *s)
{
	int r = 0;
	char e[SLAB_COLUMN_LEN];
	for (uint32_t c = 0; c < s->n_columns && r == 0; c++) {
		r = read_exactly(s, e, sizeof(e), SLAB_HEADER_LEN + (uint64_t)c * sizeof(e));
		if (r == 0 && (uint32_t)crc64_add(CRC64_EMPTY, e, 44) != le_get(e + 44, 4))
			r = -EBADMSG;
	}
	for (unsigned t = 0; t < TOKEN_TRAITS && r == 0; t++)
		r = read_row(s, traits_at(s) + t * row_stride(s->n_columns), s->n_columns, s->row);
	for (uint32_t i = 0; i < s->n_groups && r == 0; i++) {
		const struct group *g = &s->groups[i];
		for (uint32_t bit = 0; bit < g->bits && r == 0; bit++)
			r = read_row(s, g->at + bit * row_stride(g->columns), g->columns, s->row);
	}
	struct buf counts = BUF_EMPTY;
	for (uint32_t i = 0; i < s->n_segments && r == 0; i++)
		r = slab_counts(s, i, &counts);
	buf_free(&counts);
	return r;
}
