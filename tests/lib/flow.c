/* The whole flow on a host: see flow.h. */
#include "tests/lib/flow.h"

#include "agent/lines/classify.h"
#include "common/clock.h"
#include "common/gzip.h"
#include "common/line.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

enum { STREAMS = 8192, ARENA = 4 * 1024 * 1024 };

void flow_init(struct flow *f, struct host *h)
{
	const char *why;
	char text[128];
	*f = (struct flow){.host = h, .batch_bytes = 4096};
	f->streams = calloc(STREAMS, sizeof(*f->streams));
	ck_assert_ptr_nonnull(f->streams);
	for (size_t i = 0; i < h->n_inputs; i++) {
		struct input *in = &h->inputs[i];
		ck_assert_int_eq(stamp_new("none", "UTC", &in->stamp, &why), 0);
		ck_assert_int_eq(classifier_new("off", &in->classifier, text, sizeof(text)), 0);
	}
}

void flow_free(struct flow *f)
{
	flow_stop(f);
	for (size_t i = 0; i < f->host->n_inputs; i++) {
		stamp_free(f->host->inputs[i].stamp);
		classifier_free(f->host->inputs[i].classifier);
	}
	for (size_t i = 0; i < f->n_streams; i++)
		buf_free(&f->streams[i].state);
	free(f->streams);
	buf_free(&f->lines);
}

/* --- the collector --- */

static void list_streams(struct flow *f)
{
	for (int ended = 0; ended < 2; ended++) {
		for (size_t i = 0; i < f->n_streams; i++) {
			const struct flow_stream *s = &f->streams[i];
			if (s->ended != (ended == 1))
				continue;
			ferry_row(f->ferry, &(struct stream_row){
						    .stream = s->id,
						    .service = SPAN_LITERAL("shop"),
						    .path = span_of(s->path),
						    .ino = s->ino,
						    .btime_ns = s->btime_ns,
						    .start = s->start,
						    .base = s->base,
						    .offset = s->offset,
						    .crc = s->crc,
						    .state = buf_span(&s->state),
						    .ended = s->ended,
					    });
		}
	}
	ferry_rows_end(f->ferry);
}

static struct flow_stream *stream_of(struct flow *f, const struct chunk *c)
{
	for (size_t i = 0; i < f->n_streams; i++)
		if (stream_id_equal(&f->streams[i].id, &c->stream))
			return &f->streams[i];
	ck_assert_uint_lt(f->n_streams, STREAMS);
	struct flow_stream *s = &f->streams[f->n_streams];
	*s = (struct flow_stream){
		.id = c->stream,
		.ino = c->ino,
		.btime_ns = c->btime_ns,
		.start = c->start,
		.base = c->start,
		.offset = c->start,
	};
	(void)snprintf(s->path, sizeof(s->path), "%.*s", (int)c->path.len, c->path.ptr);
	if (c->from == c->start)
		f->n_streams++;
	return s;
}

static void keep_lines(struct flow *f, struct span in)
{
	struct payload_line line;
	const char *why;
	while (line_next_payload(&in, &line, &why) == 0)
		ck_assert_int_eq(buf_add_span(&f->lines, line.flags_to_end), 0);
	ck_assert_uint_eq(in.len, 0);
}

/* Compare and append. */
static enum chunk_status judge(struct flow *f, struct flow_stream *s, const struct chunk *c,
			       struct span lines)
{
	bool moves_state = c->from == c->to && c->to == s->offset;
	if (c->to <= s->offset && !moves_state)
		return CHUNK_DUPLICATE;
	if (c->from != s->offset || c->crc_from != s->crc)
		return CHUNK_CONFLICT;
	keep_lines(f, lines);
	if (c->loss.len)
		s->lost += c->to - c->from;
	s->offset = c->to;
	s->base = c->base;
	s->crc = c->crc;
	s->ended = s->ended || c->ended;
	buf_clear(&s->state);
	ck_assert_int_eq(buf_add_span(&s->state, c->state), 0);
	return CHUNK_COMMITTED;
}

static void take_batch(struct flow *f, struct span gzip, bool answer)
{
	struct buf body = BUF_EMPTY, scratch = BUF_EMPTY;
	struct gzip_limits limits = {.inflated_max = (size_t)64 * 1024 * 1024};
	const char *why = "";
	size_t n = 0;
	ck_assert_int_eq(gzip_inflate(gzip, limits, &body), 0);
	for (struct span in = buf_span(&body); in.len; n++) {
		struct chunk c;
		size_t header = span_find(in, '\n');
		buf_clear(&scratch);
		int r = chunk_decode(span_first(in, header), &scratch, &c, &why);
		ck_assert_msg(r == 0, "%s", why);
		struct flow_stream *s = stream_of(f, &c);
		struct chunk_verdict v = {.stream = c.stream};
		v.status = judge(f, s, &c, span_make(in.ptr + header + 1, c.bytes));
		v.offset = s->offset;
		v.crc = s->crc;
		if (answer)
			ferry_verdict(f->ferry, n, &v);
		in = span_from(in, header + 1 + c.bytes);
	}
	if (answer)
		ferry_answered(f->ferry);
	buf_free(&body);
	buf_free(&scratch);
}

static bool work(struct flow *f)
{
	struct span body;
	if (ferry_wants_resync(f->ferry))
		list_streams(f);
	if (f->down || !ferry_take(f->ferry, &body))
		return false;
	take_batch(f, body, true);
	return true;
}

/* --- the agent --- */

void flow_start(struct flow *f)
{
	struct host *h = f->host;
	struct shipper_config c = {
		.uplink = {.host = "web-01"},
		.batch_bytes = f->batch_bytes,
		.arena_bytes = ARENA,
		.far = true, /* there is no uplink */
	};
	ck_assert_int_eq(ferry_new(&f->ferry), 0);
	c.ferry = f->ferry;
	host_start_unlisted(h);
	ck_assert_int_eq(journals_new(NULL, 0, h->table, h->registry, &f->journals), 0);
	ck_assert_int_eq(
		shipper_new(&c, h->table, h->registry, h->discover, f->journals, &f->shipper), 0);
	list_streams(f);
}

static void free_parts(struct flow *f)
{
	shipper_free(f->shipper);
	journals_free(f->journals);
	ferry_free(f->ferry);
	f->shipper = NULL;
	f->journals = NULL;
	f->ferry = NULL;
}

void flow_stop(struct flow *f)
{
	if (!f->shipper)
		return;
	free_parts(f);
	host_stop(f->host);
}

void flow_kill(struct flow *f, bool deliver)
{
	struct span body;
	if (!f->shipper)
		return;
	if (deliver && ferry_take(f->ferry, &body))
		take_batch(f, body, false);
	free_parts(f);
	host_kill(f->host);
}

void flow_lose_session(struct flow *f)
{
	ferry_lost(f->ferry);
	list_streams(f);
}

static bool turn(struct flow *f)
{
	host_take(f->host);
	shipper_tick(f->shipper, clock_mono_ns());
	return work(f);
}

void flow_turns(struct flow *f, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		(void)turn(f);
}

void flow_run(struct flow *f, unsigned quiet)
{
	for (unsigned n = 0, turns = 0; n < quiet; turns++) {
		ck_assert_uint_lt(turns, 100000);
		n = turn(f) ? 0 : n + 1;
	}
}
