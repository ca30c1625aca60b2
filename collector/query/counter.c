/* Counting lines: see counter.h. Used by count and top.
 *
 * A key is the span of time as eight bytes, the first the highest, so that keys in order of bytes are in order
 * of time; then for each field a byte that says whether the line has it, the value, and NUL. */
#include "collector/query/counter.h"

#include "collector/query/names.h"
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
	struct field_names names;
	/* The minute of the line before, and what came out of it: most lines are of the same. */
	char minute[MINUTE_LEN];
	bool has_minute;
	int64_t minute_us;
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

static int add_value(struct counter_worker *w, size_t i, struct span line)
{
	struct json_found value;
	int r = field_get(&w->counter->fields[i], line, &w->scratch, &value);
	if (r < 0)
		return r;
	if (r == 0)
		return buf_add(&w->key, (const char[]){MISSING, '\0'}, 2);
	w->seen[i] = true;
	/* A NUL in a value would end it. */
	if (memchr(value.text.ptr, '\0', value.text.len))
		value.text.len = span_find(value.text, '\0');
	r = buf_add_char(&w->key, PRESENT);
	if (r == 0)
		r = buf_add_span(&w->key, value.text);
	return r < 0 ? r : buf_add_char(&w->key, '\0');
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
	if (w->names.n == 0)
		field_names_note(&w->names, window->lines);
	sieve_start(w->sieve, window->lines);
	while ((r = sieve_next(w->sieve, &line)) > 0) {
		r = take_line(w, line);
		if (r < 0)
			return r;
	}
	atomic_fetch_add(&w->counter->search->progress.found, w->lines - before);
	return r;
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
		free(w);
	}
	c->n = 0;
}

/* After all days: was every field there? */
static int check_fields(struct counter *c, const char *option)
{
	struct field_names names = {.n = 0};
	for (unsigned k = 0; k < c->n; k++)
		field_names_unite(&names, &c->workers[k]->names);
	for (size_t i = 0; i < c->n_fields; i++) {
		bool seen = c->fields[i].kind != FIELD_MESSAGE;
		for (unsigned k = 0; k < c->n; k++)
			seen = seen || c->workers[k]->seen[i];
		if (!seen && c->lines) {
			field_names_tell(&names, option, c->fields[i].name);
			return -EINVAL;
		}
	}
	return 0;
}

int counter_run(struct counter *c, const char *option)
{
	static const struct scan_ops ops = {.window = take_window};
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
