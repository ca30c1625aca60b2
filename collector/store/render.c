/* Payload lines become stored lines: see render.h. Called by ingest before any lock and by recovery
 * at replay; both must get the same bytes, so nothing here looks at clocks or configuration: what
 * could change stands in `terms`.
 *
 *     payload   TIMEFLAGS MESSAGE LF
 *     stored    TIME HOST SERVICE[/INSTANCE] FLAGS MESSAGE LF
 *
 * batch_parse has checked every line, so that a line is only copied here: its 27 bytes of time, the
 * columns in between, which are the same for the whole chunk, and the rest. */
#include "collector/store/render.h"

#include "common/civil.h"
#include "common/crc64.h"
#include "common/line.h"
#include "common/name.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* " HOST SERVICE/INSTANCE " */
#define COLUMNS_MAX (3 * NAME_MAX_LEN + 4)

struct columns {
	char text[COLUMNS_MAX];
	size_t len;
};

struct renderer {
	struct render_terms terms;
	struct columns columns;
	char received[CIVIL_TIME_LEN]; /* received_us as text */
	struct rendered_chunk *out;
	size_t capacity;
	size_t whole; /* bytes that all lines will take when none is changed */

	struct rendered *day; /* of the line before; NULL: none yet */
};

static void add_column(struct columns *c, char before, struct span text)
{
	c->text[c->len++] = before;
	if (text.len)
		memcpy(c->text + c->len, text.ptr, text.len);
	c->len += text.len;
}

static int make_columns(const struct chunk *c, struct span host, struct columns *ret)
{
	if (host.len > NAME_MAX_LEN || c->service.len > NAME_MAX_LEN ||
	    c->instance.len > NAME_MAX_LEN)
		return -EINVAL;
	ret->len = 0;
	add_column(ret, ' ', host);
	add_column(ret, ' ', c->service);
	if (c->instance.len)
		add_column(ret, '/', c->instance);
	add_column(ret, ' ', (struct span){0});
	return 0;
}

/* Finds or makes the day's part, as r->day. */
static int turn_to_day(struct renderer *r, int32_t day)
{
	struct rendered_chunk *out = r->out;
	if (r->day && r->day->day == day)
		return 0;
	for (size_t i = 0; i < out->n_days; i++) {
		if (out->days[i].day == day) {
			r->day = &out->days[i];
			return 0;
		}
	}
	if (out->n_days == RENDER_DAYS_MAX)
		return -E2BIG;
	if (out->n_days == r->capacity) {
		size_t capacity = r->capacity ? r->capacity * 2 : 1;
		struct rendered *days = realloc(out->days, capacity * sizeof(*days));
		if (!days)
			return -ENOMEM;
		out->days = days;
		r->capacity = capacity;
	}
	r->day = &out->days[out->n_days];
	*r->day = (struct rendered){.day = day, .first_us = INT64_MAX, .last_us = INT64_MIN};
	/* Nearly always all lines are of one day. */
	return out->n_days++ == 0 ? buf_reserve(&r->day->bytes, r->whole) : 0;
}

/* A line of the day at hand was put behind the bytes up to `end`. */
static void line_added(struct renderer *r, const char *end, int64_t time_us)
{
	struct rendered *d = r->day;
	d->bytes.len = (size_t)(end - d->bytes.ptr);
	d->lines++;
	d->first_us = time_us < d->first_us ? time_us : d->first_us;
	d->last_us = time_us > d->last_us ? time_us : d->last_us;
}

static char *put(char *at, const char *bytes, size_t len)
{
	memcpy(at, bytes, len);
	return at + len;
}

static int add_line_as_is(struct renderer *r, struct span line, int64_t time_us)
{
	int e = turn_to_day(r, civil_day_of_us(time_us));
	if (e < 0)
		return e;
	struct buf *b = &r->day->bytes;
	e = buf_reserve(b, line.len + r->columns.len);
	if (e < 0)
		return e;
	char *at = put(b->ptr + b->len, line.ptr, CIVIL_TIME_LEN);
	at = put(at, r->columns.text, r->columns.len);
	at = put(at, line.ptr + CIVIL_TIME_LEN, line.len - CIVIL_TIME_LEN);
	line_added(r, at, time_us);
	return 0;
}

/* A line whose own time the terms do not admit; `rest` is what follows the time. */
static int add_line_received(struct renderer *r, struct span rest)
{
	size_t flags_len = span_find(rest, ' ');
	struct line_flags flags;
	if (flags_len == rest.len || line_parse_flags(span_first(rest, flags_len), &flags) < 0)
		return -EINVAL;
	flags.read_time = true;

	int e = turn_to_day(r, civil_day_of_us(r->terms.received_us));
	if (e < 0)
		return e;
	struct buf *b = &r->day->bytes;
	e = buf_reserve(b, CIVIL_TIME_LEN + r->columns.len + LINE_FLAGS_MAX + rest.len);
	if (e < 0)
		return e;
	char *at = put(b->ptr + b->len, r->received, CIVIL_TIME_LEN);
	at = put(at, r->columns.text, r->columns.len);
	at += line_format_flags(at, flags);
	at = put(at, rest.ptr + flags_len, rest.len - flags_len);
	line_added(r, at, r->terms.received_us);
	return 0;
}

/* One line with its LF. */
static int add_line(struct renderer *r, struct span line)
{
	int64_t time_us;
	if (line.len < CIVIL_TIME_LEN ||
	    civil_parse_us(span_first(line, CIVIL_TIME_LEN), &time_us) < 0)
		return -EINVAL;
	if (civil_day_of_us(time_us) < r->terms.oldest_day || time_us > r->terms.newest_us)
		return add_line_received(r, span_from(line, CIVIL_TIME_LEN));
	return add_line_as_is(r, line, time_us);
}

static int add_lines(struct renderer *r, struct span payload)
{
	while (payload.len) {
		size_t end = span_find(payload, '\n');
		if (end == payload.len)
			return -EINVAL;
		int e = add_line(r, span_first(payload, end + 1));
		if (e < 0)
			return e;
		payload = span_from(payload, end + 1);
	}
	return 0;
}

int render_chunk(const struct batch_chunk *chunk, struct span host, struct render_terms terms,
		 struct rendered_chunk *ret)
{
	assert(host.len);
	struct rendered_chunk out = {0};
	struct renderer r = {.terms = terms, .out = &out};
	int e = make_columns(&chunk->header, host, &r.columns);
	if (e < 0)
		return e;
	civil_format_us(r.received, terms.received_us);
	size_t lines = chunk->header.lines < chunk->payload.len ? (size_t)chunk->header.lines
								: chunk->payload.len;
	r.whole = chunk->payload.len + lines * r.columns.len;
	e = add_lines(&r, chunk->payload);
	if (e < 0) {
		rendered_chunk_free(&out);
		return e;
	}
	for (size_t i = 0; i < out.n_days; i++)
		out.days[i].crc =
			crc64_add(CRC64_EMPTY, out.days[i].bytes.ptr, out.days[i].bytes.len);
	*ret = out;
	return 0;
}

void rendered_chunk_free(struct rendered_chunk *r)
{
	for (size_t i = 0; i < r->n_days; i++)
		buf_free(&r->days[i].bytes);
	free(r->days);
	*r = (struct rendered_chunk){0};
}
