/* Lines counted by minute and level: see counts.h. Filled by digest.c, gathered and coded by
 * part.c, read by the haul program.
 *
 *     levels    how many; of each its length and bytes
 *     blocks    of each: how many rows; the first one's minute; then of each row how far its minute is from the
 *               one before, together with its level, and its lines
 *
 * All numbers are of seven bits a byte, so that a row takes two or three bytes. Lines mostly come
 * in order of time: those of the minute at hand are counted in place, and what came late is put in
 * order at the end. */
#include "collector/store/counts.h"

#include "common/civil.h"

#include <errno.h>
#include <stdlib.h>

enum {
	ROWS_LOOSE = 4 * COUNTS_ROWS_MAX, /* before they are put in order */
	NUMBER_BITS = 7,
	NUMBER_MORE = 1 << NUMBER_BITS,
};

/* Minutes of the times that a line can have. */
#define MINUTE_FIRST (CIVIL_MIN_US / COUNTS_MINUTE_US)
#define MINUTE_LAST  (CIVIL_MAX_US / COUNTS_MINUTE_US)
/* A number in the format is none greater than this. */
#define NUMBER_MAX ((uint64_t)(MINUTE_LAST - MINUTE_FIRST) * (COUNTS_LEVELS_MAX + 2))

static int rows_reserve(struct counts_row **rows, size_t *capacity, size_t n)
{
	if (n <= *capacity)
		return 0;
	size_t more = *capacity ? *capacity * 2 : 64;
	more = more < n ? n : more;
	struct counts_row *grown = realloc(*rows, more * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	*rows = grown;
	*capacity = more;
	return 0;
}

/* The level's number, a new one if need be; 0: there is no room for it. */
static uint32_t levels_number(struct counts_levels *l, struct span level)
{
	for (uint32_t i = 1; i <= l->n; i++)
		if (span_equal(counts_level(l, i), level))
			return i;
	if (l->n == COUNTS_LEVELS_MAX || level.len > COUNTS_LEVEL_LEN)
		return 0;
	if (level.len)
		memcpy(l->items[l->n].text, level.ptr, level.len);
	l->items[l->n].len = (uint8_t)level.len;
	return ++l->n;
}

/* --- one block --- */

void counts_block_clear(struct counts_block *b)
{
	b->levels.n = 0;
	b->n = 0;
	b->unfit = b->disordered = false;
	b->last_level = 0;
	memset(b->current, 0, sizeof(b->current));
}

void counts_block_free(struct counts_block *b)
{
	free(b->rows);
	*b = (struct counts_block){.n = 0};
}

static int by_minute(const void *a, const void *b)
{
	const struct counts_row *x = a, *y = b;
	if (x->minute != y->minute)
		return x->minute < y->minute ? -1 : 1;
	return (x->level > y->level) - (x->level < y->level);
}

/* Puts the rows in order; those of one minute and level become one. */
static void put_in_order(struct counts_block *b)
{
	size_t kept = 0;
	if (!b->disordered)
		return;
	qsort(b->rows, b->n, sizeof(*b->rows), by_minute);
	for (size_t i = 0; i < b->n; i++) {
		if (kept && by_minute(&b->rows[kept - 1], &b->rows[i]) == 0)
			b->rows[kept - 1].lines += b->rows[i].lines;
		else
			b->rows[kept++] = b->rows[i];
	}
	b->n = kept;
	b->disordered = false;
}

/* The minute at hand becomes rows. */
static int end_minute(struct counts_block *b)
{
	if (b->n + COUNTS_LEVELS_MAX + 1 > ROWS_LOOSE) {
		put_in_order(b);
		b->unfit |= b->n > COUNTS_ROWS_MAX;
	}
	int r = b->unfit ? 0 : rows_reserve(&b->rows, &b->capacity, b->n + b->levels.n + 1);
	if (r < 0 || b->unfit)
		return r;
	b->disordered |= b->n && b->minute <= b->rows[b->n - 1].minute;
	for (uint32_t i = 0; i <= b->levels.n; i++) {
		if (b->current[i])
			b->rows[b->n++] = (struct counts_row){b->minute, i, b->current[i]};
		b->current[i] = 0;
	}
	return 0;
}

static int64_t minute_of(int64_t us)
{
	int64_t minute = us / COUNTS_MINUTE_US;
	return minute - (us % COUNTS_MINUTE_US < 0);
}

int counts_block_add(struct counts_block *b, int64_t time_us, const struct span *level)
{
	uint32_t number = 0;
	if (b->unfit)
		return 0;
	int64_t minute = minute_of(time_us);
	if (minute != b->minute) {
		int r = end_minute(b);
		if (r < 0)
			return r;
		b->minute = minute;
	}
	if (level) {
		number = b->last_level;
		if (!number || !span_equal(counts_level(&b->levels, number), *level))
			number = levels_number(&b->levels, *level);
		if (!number) {
			b->unfit = true;
			return 0;
		}
		b->last_level = number;
	}
	b->current[number]++;
	return 0;
}

int counts_block_end(struct counts_block *b)
{
	int r = end_minute(b);
	if (r == 0 && !b->unfit) {
		put_in_order(b);
		b->unfit = b->n > COUNTS_ROWS_MAX;
	}
	return r;
}

/* --- the blocks of a part --- */

void counts_clear(struct counts *c)
{
	c->levels.n = 0;
	c->n = c->n_blocks = 0;
}

void counts_free(struct counts *c)
{
	free(c->rows);
	free(c->blocks);
	*c = (struct counts){.n = 0};
}

/* The block's levels in the numbers of the part. False: there are too many. */
static bool translate(struct counts *c, const struct counts_block *b,
		      uint32_t ret[COUNTS_LEVELS_MAX + 1])
{
	ret[0] = 0;
	for (uint32_t i = 1; i <= b->levels.n; i++) {
		ret[i] = levels_number(&c->levels, counts_level(&b->levels, i));
		if (!ret[i])
			return false;
	}
	return true;
}

int counts_add(struct counts *c, const struct counts_block *b)
{
	uint32_t numbers[COUNTS_LEVELS_MAX + 1];
	if (c->n_blocks == c->blocks_capacity) {
		size_t capacity = c->blocks_capacity ? c->blocks_capacity * 2 : 16;
		uint32_t *blocks = realloc(c->blocks, capacity * sizeof(*blocks));
		if (!blocks)
			return -ENOMEM;
		c->blocks = blocks;
		c->blocks_capacity = capacity;
	}
	size_t n = b->unfit || !translate(c, b, numbers) ? 0 : b->n;
	int r = rows_reserve(&c->rows, &c->capacity, c->n + n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		c->rows[c->n] = b->rows[i];
		c->rows[c->n++].level = numbers[b->rows[i].level];
	}
	c->blocks[c->n_blocks++] = (uint32_t)n;
	return 0;
}

static int put_number(struct buf *out, uint64_t v)
{
	char bytes[10];
	size_t n = 0;
	for (; v >= NUMBER_MORE; v >>= NUMBER_BITS)
		bytes[n++] = (char)(v | NUMBER_MORE);
	bytes[n++] = (char)v;
	return buf_add(out, bytes, n);
}

/* Small numbers of either sign: 0, -1, 1, -2 ... */
static uint64_t fold(int64_t v)
{
	return v < 0 ? ~((uint64_t)v << 1) : (uint64_t)v << 1;
}

static int64_t unfold(uint64_t v)
{
	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static int encode_block(const struct counts_levels *levels, const struct counts_row *rows,
			uint32_t n, struct buf *out)
{
	int r = put_number(out, n);
	int64_t minute = n ? rows[0].minute : 0;
	if (r == 0 && n)
		r = put_number(out, fold(minute));
	for (uint32_t i = 0; i < n && r == 0; i++) {
		uint64_t later = (uint64_t)(rows[i].minute - minute);
		r = put_number(out, later * (levels->n + 1) + rows[i].level);
		if (r == 0)
			r = put_number(out, rows[i].lines);
		minute = rows[i].minute;
	}
	return r;
}

/* Rows of a level that comes later in the part's numbers than in the block's. */
static void order_levels(struct counts_row *rows, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++) {
		if (by_minute(&rows[i - 1], &rows[i]) > 0) {
			qsort(rows, n, sizeof(*rows), by_minute);
			return;
		}
	}
}

int counts_encode(const struct counts *c, struct buf *out)
{
	struct counts_row *at = c->rows;
	int r = put_number(out, c->levels.n);
	for (uint32_t i = 1; i <= c->levels.n && r == 0; i++) {
		struct span level = counts_level(&c->levels, i);
		r = put_number(out, level.len);
		if (r == 0)
			r = buf_add_span(out, level);
	}
	for (size_t i = 0; i < c->n_blocks && r == 0; at += c->blocks[i++]) {
		order_levels(at, c->blocks[i]);
		r = encode_block(&c->levels, at, c->blocks[i], out);
	}
	return r;
}

/* --- reading --- */

/* A number up to `max`. */
static bool take_number(struct span *in, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;
	for (size_t i = 0; i < in->len && i < 9; i++) {
		uint8_t byte = (uint8_t)in->ptr[i];
		v |= (uint64_t)(byte & (NUMBER_MORE - 1)) << (NUMBER_BITS * i);
		if (byte & NUMBER_MORE)
			continue;
		*in = span_from(*in, i + 1);
		*ret = v;
		return v <= max;
	}
	return false;
}

static bool take_levels(struct span *in, struct counts_levels *ret)
{
	uint64_t n, len;
	if (!take_number(in, COUNTS_LEVELS_MAX, &n))
		return false;
	for (ret->n = 0; ret->n < n; ret->n++) {
		if (!take_number(in, COUNTS_LEVEL_LEN, &len) || len > in->len)
			return false;
		if (len)
			memcpy(ret->items[ret->n].text, in->ptr, len);
		ret->items[ret->n].len = (uint8_t)len;
		*in = span_from(*in, len);
	}
	return true;
}

int counts_open(struct span bytes, uint32_t n_blocks, struct counts_reader *ret)
{
	ret->rest = bytes;
	ret->blocks_left = n_blocks;
	ret->levels.n = 0;
	return bytes.len == 0 || take_levels(&ret->rest, &ret->levels) ? 0 : -EBADMSG;
}

static bool take_rows(struct counts_reader *r, struct counts_row *rows, uint64_t n)
{
	uint64_t v = 0, lines, base = r->levels.n + 1;
	if (n && !take_number(&r->rest, NUMBER_MAX, &v))
		return false;
	int64_t minute = unfold(v);
	for (uint64_t i = 0; i < n; i++) {
		if (!take_number(&r->rest, NUMBER_MAX, &v) ||
		    !take_number(&r->rest, UINT32_MAX, &lines))
			return false;
		minute += (int64_t)(v / base);
		if (minute < MINUTE_FIRST || minute > MINUTE_LAST)
			return false;
		rows[i] = (struct counts_row){minute, (uint32_t)(v % base), (uint32_t)lines};
	}
	return true;
}

int counts_next(struct counts_reader *r, struct counts_row rows[COUNTS_ROWS_MAX])
{
	uint64_t n = 0;
	if (r->blocks_left == 0)
		return -ENODATA;
	r->blocks_left--;
	if (r->rest.len == 0)
		return 0;
	if (take_number(&r->rest, COUNTS_ROWS_MAX, &n) && take_rows(r, rows, n))
		return (int)n;
	r->blocks_left = 0;
	return -EBADMSG;
}
