/* Counting lines: see counter.h. Used by count and top.
 *
 * A key is the span of time as eight bytes, the first the highest, so that keys in order of bytes
 * are in order of time; then for each field a byte that says whether the line has it, the value,
 * and NUL. */
#include "collector/query/counter.h"

#include "collector/query/unknown.h"
#include "common/log.h"
#include "common/num.h"

#include <errno.h>
#include <stdlib.h>

enum { MISSING = 1, PRESENT = 2, TIME_BYTES = 8, MINUTE_LEN = 16 /* "2026-11-22T05:40" */ };

#define MINUTE_US (60 * NUM_SEC_US)

struct counter_worker {
	struct counter *counter;
	struct sieve_scratch *sieve;
	struct tally *tally;
	struct field_scratch scratch;
	struct buf key;
	uint64_t lines;
	bool seen[COUNTER_FIELDS_MAX];
	/* The minute of the line before, and what came out of it: most lines are of the same. */
	char minute[MINUTE_LEN];
	bool has_minute;
	int64_t minute_us;
	struct index_counts counts;
};

/* --- keys --- */

static void put_time(char dst[TIME_BYTES], int64_t us)
{
	uint64_t v = (uint64_t)us ^ UINT64_C(1) << 63;
	for (int i = TIME_BYTES - 1; i >= 0; i--, v >>= 8)
		dst[i] = (char)(v & 0xff);
}

static int64_t get_time(const char *src)
{
	uint64_t v = 0;
	for (int i = 0; i < TIME_BYTES; i++)
		v = v << 8 | (uint8_t)src[i];
	return (int64_t)(v ^ UINT64_C(1) << 63);
}

static int64_t floor_to(int64_t us, int64_t every_us)
{
	int64_t rest = us % every_us;
	return us - (rest < 0 ? rest + every_us : rest);
}

/* The beginning of the line's span. */
static int64_t span_of_line(struct counter_worker *w, struct span line)
{
	int64_t every_us = w->counter->every_us, us;
	bool whole_minutes = every_us % MINUTE_US == 0;
	if (whole_minutes && w->has_minute && line.len > MINUTE_LEN &&
	    memcmp(line.ptr, w->minute, MINUTE_LEN) == 0)
		return floor_to(w->minute_us, every_us);
	us = record_time(line);
	if (us == RECORD_NO_TIME)
		return COUNTER_NO_TIME;
	memcpy(w->minute, line.ptr, MINUTE_LEN);
	w->minute_us = floor_to(us, MINUTE_US);
	w->has_minute = true;
	return floor_to(us, every_us);
}

static int put_missing(struct counter_worker *w)
{
	return buf_add(&w->key, (const char[]){MISSING, '\0'}, 2);
}

static int put_value(struct counter_worker *w, size_t i, struct span value)
{
	w->seen[i] = true;
	/* A NUL in a value would end it. */
	value.len = span_find(value, '\0');
	int r = buf_add_char(&w->key, PRESENT);
	if (r == 0)
		r = buf_add_span(&w->key, value);
	return r < 0 ? r : buf_add_char(&w->key, '\0');
}

static int add_value(struct counter_worker *w, size_t i, struct span line)
{
	struct json_found value;
	int r = field_get(&w->counter->fields[i], line, &w->scratch, &value);
	return r < 0 ? r : r ? put_value(w, i, value.text) : put_missing(w);
}

void counter_split(const struct counter *c, struct span key, struct counter_key *ret)
{
	*ret = (struct counter_key){.time_us = COUNTER_NO_TIME};
	if (c->every_us) {
		ret->time_us = get_time(key.ptr);
		key = span_from(key, TIME_BYTES);
	}
	for (size_t i = 0; i < c->n_fields && key.len; i++) {
		size_t end = span_find(key, '\0');
		ret->has[i] = key.ptr[0] == PRESENT;
		ret->values[i] = span_make(key.ptr + 1, end - 1);
		key = span_from(key, end < key.len ? end + 1 : end);
	}
}

/* --- lines --- */

static int take_line(struct counter_worker *w, struct span line)
{
	int r = 0;
	w->lines++;
	buf_clear(&w->key);
	if (w->counter->every_us) {
		char time[TIME_BYTES];
		put_time(time, span_of_line(w, line));
		r = buf_add(&w->key, time, sizeof(time));
	}
	for (size_t i = 0; r == 0 && i < w->counter->n_fields; i++)
		r = add_value(w, i, line);
	return r < 0 ? r : tally_count(w->tally, buf_span(&w->key));
}

static int take_window(void *worker, struct segments *segments, const struct window *window)
{
	struct counter_worker *w = worker;
	struct span line;
	uint64_t before = w->lines;
	int r;
	(void)segments;
	sieve_start(w->sieve, window->lines);
	while ((r = sieve_next(w->sieve, &line)) > 0) {
		r = take_line(w, line);
		if (r < 0)
			return r;
	}
	atomic_fetch_add(&w->counter->search->progress.found, w->lines - before);
	return r;
}

static const struct finder *lead(void *worker)
{
	const struct counter_worker *w = worker;
	return sieve_lead(&w->counter->search->sieve);
}

/* --- what the index counts --- */

/* The lines of a row: what is known of them. */
struct known {
	const struct segment *segment;
	const struct span *level; /* NULL: they have none */
};

static bool is_known(const struct field *f)
{
	return f->kind == FIELD_HOST || f->kind == FIELD_SERVICE ||
	       (f->kind == FIELD_MESSAGE && span_is(f->path, "level"));
}

static bool get_known(void *user, const struct field *f, struct span *ret)
{
	const struct known *k = user;
	switch (f->kind) {
	case FIELD_HOST: *ret = span_of(k->segment->host); return true;
	case FIELD_SERVICE: *ret = span_of(k->segment->service); return true;
	case FIELD_INSTANCE: return false;
	case FIELD_MESSAGE: break;
	}
	if (k->level)
		*ret = *k->level;
	return k->level;
}

/* Can rows by minute, service, host and level answer the question? */
static bool answered_by_counts(const struct counter *c)
{
	const struct search *s = c->search;
	for (size_t i = 0; i < c->n_fields; i++)
		if (!is_known(&c->fields[i]))
			return false;
	return !s->matcher && c->every_us % MINUTE_US == 0 &&
	       (!s->where || where_only(s->where, is_known));
}

/* Minutes lie within the time that is asked for, or outside, or across its ends. */
enum extent { WITHIN, OUTSIDE, ACROSS };

static enum extent extent_of(const struct counter *c, int64_t minute)
{
	const struct needs *n = &c->search->sieve.needs;
	int64_t first_us = minute * MINUTE_US, end_us = first_us + MINUTE_US;
	if (first_us >= n->since_us && end_us <= n->until_us)
		return WITHIN;
	return end_us <= n->since_us || first_us >= n->until_us ? OUTSIDE : ACROSS;
}

static int take_row(struct counter_worker *w, const struct counts_row *row, const struct known *k)
{
	const struct counter *c = w->counter;
	struct where_scratch *where = c->search->where ? sieve_where(w->sieve) : NULL;
	if (where && !where_holds(where, get_known, (void *)(uintptr_t)k))
		return 0;
	int r = 0;
	w->lines += row->lines;
	buf_clear(&w->key);
	if (c->every_us) {
		char time[TIME_BYTES];
		put_time(time, floor_to(row->minute * MINUTE_US, c->every_us));
		r = buf_add(&w->key, time, sizeof(time));
	}
	for (size_t i = 0; r == 0 && i < c->n_fields; i++) {
		struct span value;
		bool has = get_known((void *)(uintptr_t)k, &c->fields[i], &value);
		r = has ? put_value(w, i, value) : put_missing(w);
	}
	const struct tally_value value = {.count = row->lines};
	return r < 0 ? r : tally_add(w->tally, buf_span(&w->key), &value);
}

/* The rows of a block, unless some lie across an end of what is asked for: then it is read. */
static int take_block(struct counter_worker *w, const struct segment *segment, int n,
		      struct block_set *done)
{
	const struct index_counts *counts = &w->counts;
	for (int i = 0; i < n; i++)
		if (extent_of(w->counter, counts->rows[i].minute) == ACROSS)
			return 0;
	for (int i = 0; i < n; i++) {
		const struct counts_row *row = &counts->rows[i];
		struct known k = {.segment = segment};
		struct span level;
		if (extent_of(w->counter, row->minute) == OUTSIDE)
			continue;
		if (row->level) {
			level = counts_level(&counts->reader.levels, row->level);
			k.level = &level;
		}
		int r = take_row(w, row, &k);
		if (r < 0)
			return r;
	}
	return block_set_add(done, counts->block);
}

static int take_counts(void *worker, const struct segment *segment, const struct lookup *lookup,
		       struct block_set *done)
{
	struct counter_worker *w = worker;
	uint64_t before = w->lines;
	int n = 0, r = 0;
	if (!w->counter->from_counts || !lookup_counts(lookup, segment, &w->counts))
		return 0;
	while (r == 0 && (n = index_counts_next(&w->counts)) > 0)
		r = take_block(w, segment, n, done);
	atomic_fetch_add(&w->counter->search->progress.found, w->lines - before);
	return r < 0 ? r : n;
}

/* --- */

int counter_open(struct counter *c, struct search *search, const char *const *fields,
		 size_t n_fields, int64_t every_us)
{
	*c = (struct counter){.search = search, .every_us = every_us};
	if (n_fields > COUNTER_FIELDS_MAX) {
		log_error("at most %d fields", COUNTER_FIELDS_MAX);
		return -EINVAL;
	}
	for (; c->n_fields < n_fields; c->n_fields++) {
		if (field_init(&c->fields[c->n_fields], span_of(fields[c->n_fields])) < 0) {
			log_error("a field's name is empty");
			return -EINVAL;
		}
	}
	c->from_counts = answered_by_counts(c);
	if (c->from_counts) {
		int r = search_want_index(search);
		if (r < 0)
			return r;
	}
	for (unsigned i = 0; i < search->threads; i++) {
		struct counter_worker *w = calloc(1, sizeof(*w));
		if (!w)
			return search_tell(-ENOMEM, "counting");
		c->workers[c->n] = w;
		w->counter = c;
		w->sieve = sieve_scratch_new(&search->sieve);
		w->tally = c->tallies[c->n++] = tally_new(SEARCH_MEMORY / search->threads);
		if (!w->sieve || !w->tally)
			return search_tell(-ENOMEM, "counting");
	}
	return 0;
}

void counter_close(struct counter *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		struct counter_worker *w = c->workers[i];
		sieve_scratch_free(w->sieve);
		tally_free(w->tally);
		field_scratch_free(&w->scratch);
		buf_free(&w->key);
		index_counts_free(&w->counts);
		free(w);
	}
	c->n = 0;
}

/* After all days: was every field there? */
static int check_fields(struct counter *c, const char *option)
{
	for (size_t i = 0; i < c->n_fields; i++) {
		bool seen = c->fields[i].kind != FIELD_MESSAGE;
		for (unsigned k = 0; k < c->n; k++)
			seen = seen || c->workers[k]->seen[i];
		if (!seen && c->lines)
			return unknown_field(c->search, option, c->fields[i].name);
	}
	return 0;
}

int counter_run(struct counter *c, const char *option)
{
	static const struct scan_ops ops = {
		.window = take_window, .lead = lead, .known = take_counts};
	for (size_t day = 0; day < c->search->n_days && !search_stopped(c->search); day++) {
		struct segments *segments;
		int r = search_list(c->search, day, &segments);
		if (r < 0)
			return r;
		r = search_scan(c->search, segments, &ops, (void *const *)c->workers);
		segments_free(segments);
		if (r < 0)
			return r;
	}
	for (unsigned i = 0; i < c->n; i++)
		c->lines += c->workers[i]->lines;
	return search_stopped(c->search) ? 0 : check_fields(c, option);
}
