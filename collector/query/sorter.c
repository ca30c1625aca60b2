/* Sorting what was found: see sorter.h. Each thread of a search fills one; merge.c reads them
 * together.
 *
 * Bodies lie one behind another in an arena; what is sorted are small references. When the arena is
 * full they are sorted and written as a run. Lines of a shard come nearly in order, so that sorting
 * usually is one comparison a line. Too many runs are merged into fewer before they are read, so
 * that the merge's buffers are bounded too. */
#include "collector/query/sorter.h"

#include "collector/query/sorter_parts.h"
#include "common/array.h"

#include <errno.h>
#include <stdlib.h>

struct sorter *sorter_new(enum record_order order, size_t memory, uint64_t limit)
{
	struct sorter *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->order = order;
	s->memory = memory;
	s->limit = limit;
	s->sorted = true;
	s->spill.fd = -1;
	return s;
}

void sorter_free(struct sorter *s)
{
	if (!s)
		return;
	buf_free(&s->arena);
	free(s->kept);
	spill_free(&s->spill);
	free(s->runs);
	free(s);
}

bool sorter_spilled(const struct sorter *s)
{
	return s->n_runs > 0;
}

void sorter_clear(struct sorter *s)
{
	buf_clear(&s->arena);
	s->n = s->n_runs = 0;
	s->sorted = true;
	s->has_last = false;
	if (s->spill.fd >= 0) {
		spill_free(&s->spill);
		s->spill = (struct spill){.fd = -1};
	}
}

struct record kept_record(const struct sorter *s, const struct kept *k)
{
	return (struct record){.time_us = k->time_us,
			       .at = k->at,
			       .key_at = k->key_at,
			       .matched = k->matched,
			       .joined = k->joined,
			       .body = span_make(s->arena.ptr + k->body, k->len)};
}

static int compare_kept(const void *a, const void *b, void *sorter)
{
	const struct sorter *s = sorter;
	struct record x = kept_record(s, a), y = kept_record(s, b);
	return record_compare(&x, &y, s->order);
}

void sorter_settle(struct sorter *s)
{
	if (!s->sorted)
		qsort_r(s->kept, s->n, sizeof(*s->kept), compare_kept, s);
	s->sorted = true;
}

/* With a limit: what comes after the limit's last match is let go, but for what has its time (the
 * rest of its event). True when that made room. */
static bool cut_to_limit(struct sorter *s)
{
	uint64_t matched = 0;
	size_t i = 0;
	if (s->limit == 0 || s->order != RECORD_BY_TIME)
		return false;
	while (i < s->n && matched < s->limit)
		matched += s->kept[i++].matched;
	if (matched < s->limit || s->kept[i - 1].time_us == RECORD_NO_TIME)
		return false;
	s->has_last = true;
	s->last_us = s->kept[i - 1].time_us;
	while (i < s->n && s->kept[i].time_us == s->last_us)
		i++;
	if (i > s->n / 2)
		return false;
	/* What is kept moves to a new arena. */
	struct buf arena = BUF_EMPTY;
	for (size_t k = 0; k < i; k++) {
		struct record r = kept_record(s, &s->kept[k]);
		size_t at = arena.len;
		if (buf_add_span(&arena, r.body) < 0) {
			buf_free(&arena);
			return false;
		}
		s->kept[k].body = at;
	}
	buf_free(&s->arena);
	s->arena = arena;
	s->n = i;
	return true;
}

static int add_run(struct sorter *s, struct spill_run run)
{
	int r = array_room(&s->runs, s->n_runs, &s->cap_runs, sizeof(*s->runs));
	if (r == 0)
		s->runs[s->n_runs++] = run;
	return r;
}

/* The oldest runs become one, so that each record is copied a logarithmic number of times. */
static int unite_runs(struct sorter *s)
{
	struct merge *m;
	struct record record;
	struct spill_run run;
	size_t n = MERGE_FAN_IN / 2;
	int r = spill_flush(&s->spill, &run.from);
	if (r < 0)
		return r;
	r = merge_open_runs(s, s->runs, n, &m);
	if (r < 0)
		return r;
	while ((r = merge_next(m, &record)) > 0) {
		r = spill_add(&s->spill, &record);
		if (r < 0)
			break;
	}
	merge_close(m);
	if (r == 0)
		r = spill_flush(&s->spill, &run.to);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		spill_drop(&s->spill, s->runs[i]);
	s->n_runs -= n;
	memmove(s->runs, s->runs + n, s->n_runs * sizeof(*s->runs));
	return add_run(s, run);
}

static int write_run(struct sorter *s)
{
	struct spill_run run;
	int r = spill_flush(&s->spill, &run.from);
	for (size_t i = 0; r == 0 && i < s->n; i++) {
		struct record record = kept_record(s, &s->kept[i]);
		r = spill_add(&s->spill, &record);
	}
	if (r == 0)
		r = spill_flush(&s->spill, &run.to);
	if (r == 0)
		r = add_run(s, run);
	if (r < 0)
		return r;
	buf_clear(&s->arena);
	s->n = 0;
	return s->n_runs >= MERGE_FAN_IN ? unite_runs(s) : 0;
}

/* Makes room for a record with a body of `len` bytes. */
static int make_room(struct sorter *s, size_t len)
{
	size_t have = s->arena.len + s->n * sizeof(*s->kept);
	if (s->n && have + len + sizeof(*s->kept) > s->memory) {
		sorter_settle(s);
		if (!cut_to_limit(s)) {
			int r = write_run(s);
			if (r < 0)
				return r;
		}
	}
	int r = array_room(&s->kept, s->n, &s->cap, sizeof(*s->kept));
	return r < 0 ? r : buf_reserve(&s->arena, len);
}

/* The body has been appended to the arena. */
static void keep(struct sorter *s, const struct record *r, size_t body)
{
	struct kept k = {.time_us = r->time_us,
			 .at = r->at,
			 .body = body,
			 .len = (uint32_t)(s->arena.len - body),
			 .key_at = r->key_at,
			 .matched = r->matched,
			 .joined = r->joined};
	s->kept[s->n++] = k;
	if (s->sorted && s->n > 1)
		s->sorted = compare_kept(&s->kept[s->n - 2], &s->kept[s->n - 1], s) <= 0;
}

static bool beyond_limit(const struct sorter *s, int64_t time_us)
{
	return s->has_last && time_us != RECORD_NO_TIME && time_us > s->last_us;
}

int sorter_add_line(struct sorter *s, struct span line, struct place at, bool matched)
{
	struct record r = {.time_us = record_time(line), .at = at, .key_at = 1, .matched = matched};
	if (line.len > UINT32_MAX - 2)
		return -EFBIG;
	if (beyond_limit(s, r.time_us))
		return 0;
	int result = make_room(s, line.len + 2);
	if (result < 0)
		return result;
	char *dst = s->arena.ptr + s->arena.len;
	size_t body = s->arena.len;
	dst[0] = matched ? RECORD_MATCHED : RECORD_SHOWN;
	memcpy(dst + 1, line.ptr, line.len);
	dst[line.len + 1] = '\n';
	s->arena.len += line.len + 2;
	keep(s, &r, body);
	return 0;
}

int sorter_add(struct sorter *s, const struct record *r)
{
	if (r->body.len > UINT32_MAX)
		return -EFBIG;
	if (beyond_limit(s, r->time_us))
		return 0;
	int result = make_room(s, r->body.len);
	size_t body = s->arena.len;
	if (result == 0)
		result = buf_add_span(&s->arena, r->body);
	if (result == 0)
		keep(s, r, body);
	return result;
}
