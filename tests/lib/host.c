/* A host for tests: see host.h. */
#include "tests/lib/host.h"

#include "agent/files/elder.h"
#include "agent/files/follow.h"
#include "common/clock.h"
#include "common/crc64.h"

#include <assert.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 1024 * 1024, TURNS = 12 };

struct host_batch {
	struct host_batch *next;
	struct source *source;
	struct position from, to;
	struct buf raw;
	bool last, ended, hole;
	const char *loss;
};

/* --- time --- */

static int64_t skew_ns;

static int64_t read_clock(clockid_t which)
{
	struct timespec ts;
	clock_gettime(which, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/* Only this one: the kernel's birth times go by the real one. */
static int64_t mono(void)
{
	return read_clock(CLOCK_MONOTONIC) + skew_ns;
}

static int64_t real(void)
{
	return read_clock(CLOCK_REALTIME);
}

/* --- the host --- */

void host_init(struct host *h, const char *where)
{
	*h = (struct host){
		.max_open_files = 1024, .max_deleted = UINT64_MAX, .arena_max = UINT64_MAX};
	(void)snprintf(h->dir, sizeof(h->dir), "%s/haul-test.XXXXXX", where);
	ck_assert_ptr_nonnull(mkdtemp(h->dir));
	(void)snprintf(h->state, sizeof(h->state), "%s.state", h->dir);
	h->streams = calloc(HOST_STREAMS, sizeof(*h->streams));
	h->buffer = malloc(BUFFER);
	ck_assert(h->streams && h->buffer);
	skew_ns = 0;
	clock_replace(mono, real);
}

static void free_list(struct conf_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->items[i]);
	free(l->items);
}

void host_free(struct host *h)
{
	char command[512];
	host_kill(h);
	for (size_t i = 0; i < h->n_inputs; i++) {
		free_list(&h->inputs[i].paths);
		free_list(&h->inputs[i].exclude);
	}
	for (size_t i = 0; i < h->n_streams; i++)
		buf_free(&h->streams[i].lines);
	free(h->streams);
	free(h->buffer);
	(void)snprintf(command, sizeof(command), "chmod -R u+rwx %s %s 2>/dev/null; rm -rf %s %s",
		       h->dir, h->state, h->dir, h->state);
	ck_assert_int_eq(system(command), 0);
	clock_replace(NULL, NULL);
}

static void add_globs(const struct host *h, struct conf_list *l, const char *globs, bool below)
{
	char copy[512];
	(void)snprintf(copy, sizeof(copy), "%s", globs);
	l->items = calloc(8, sizeof(char *));
	for (char *at = strtok(copy, " "); at; at = strtok(NULL, " ")) {
		char text[600];
		(void)snprintf(text, sizeof(text), "%s%s%s", below ? h->dir : "", below ? "/" : "",
			       at);
		l->items[l->n++] = strdup(text);
	}
}

struct input *host_input(struct host *h, const char *name, const char *globs, const char *exclude)
{
	struct input *in = &h->inputs[h->n_inputs++];
	*in = (struct input){
		.name = name, .service = "", .rotated_dir = "", .max_line = 1024 * 1024};
	add_globs(h, &in->paths, globs, true);
	add_globs(h, &in->exclude, exclude, false);
	return in;
}

void host_start_unlisted(struct host *h)
{
	struct discover_config c = {
		.inputs = h->inputs,
		.n_inputs = h->n_inputs,
		.cadence_ns = DISCOVER_CADENCE_NS,
		.max_open_files = h->max_open_files,
		.max_deleted = h->max_deleted,
	};
	h->table = source_table_new();
	ck_assert_ptr_nonnull(h->table);
	ck_assert_int_eq(registry_open(h->state, h->table, &h->registry), 0);
	ck_assert_int_eq(discover_new(&c, h->table, h->registry, &h->discover), 0);
}

void host_list(struct host *h)
{
	discover_keeps(h->discover, h->keeps_ns);
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < h->n_streams; i++) {
			const struct host_stream *s = &h->streams[i];
			struct stream_row row = {
				.stream = s->id,
				.service = span_of(s->service),
				.path = span_of(s->path),
				.ino = s->ino,
				.btime_ns = s->btime_ns,
				.start = s->start,
				.base = s->base,
				.offset = s->offset,
				.crc = s->crc,
				.ended = s->ended,
			};
			if (s->ended == (pass == 1))
				discover_row(h->discover, &row);
		}
	}
	discover_rows_end(h->discover);
}

void host_start(struct host *h)
{
	host_start_unlisted(h);
	host_list(h);
}

static void drop_batch(struct host *h)
{
	for (struct host_batch *b; (b = h->batch) != NULL;) {
		h->batch = b->next;
		buf_free(&b->raw);
		free(b);
	}
	h->arena = 0;
}

static void end(struct host *h)
{
	discover_free(h->discover);
	registry_close(h->registry);
	source_table_free(h->table);
	h->discover = NULL;
	h->registry = NULL;
	h->table = NULL;
	drop_batch(h);
}

void host_stop(struct host *h)
{
	if (h->table)
		end(h);
}

void host_kill(struct host *h)
{
	char command[400];
	if (!h->table)
		return;
	(void)snprintf(command, sizeof(command),
		       "rm -rf %s.kept; cp -r --preserve=timestamps %s %s.kept", h->state, h->state,
		       h->state);
	ck_assert_int_eq(system(command), 0);
	end(h);
	(void)snprintf(command, sizeof(command), "rm -rf %s; mv %s.kept %s", h->state, h->state,
		       h->state);
	ck_assert_int_eq(system(command), 0);
}

/* --- the collector --- */

static struct host_stream *known_stream(struct host *h, const struct stream_id *id)
{
	for (size_t i = 0; i < h->n_streams; i++)
		if (stream_id_equal(&h->streams[i].id, id))
			return &h->streams[i];
	return NULL;
}

/* A chunk arrives; it must follow exactly what is there. */
static void accept(struct host *h, const struct host_batch *b)
{
	struct source *src = b->source;
	struct host_stream *s = known_stream(h, &src->id);
	assert(h->streams);
	if (!s) {
		ck_assert_msg(b->from.offset == src->start, "%s: birth at %llu, not at its start",
			      src->path, (unsigned long long)b->from.offset);
		ck_assert_uint_lt(h->n_streams, HOST_STREAMS);
		s = &h->streams[h->n_streams++];
		*s = (struct host_stream){
			.id = src->id,
			.ino = src->ino,
			.btime_ns = src->btime_ns,
			.start = src->start,
			.base = src->start,
			.offset = src->start,
			.first_at = h->arrived + 1,
		};
		(void)snprintf(s->path, sizeof(s->path), "%s", src->path);
		(void)snprintf(s->service, sizeof(s->service), "%s", src->service);
	}
	ck_assert_msg(b->from.offset == s->offset && b->from.crc == s->crc,
		      "%s: from %llu, but the stream stands at %llu", src->path,
		      (unsigned long long)b->from.offset, (unsigned long long)s->offset);
	ck_assert_int_eq(buf_add_span(&s->lines, buf_span(&b->raw)), 0);
	if (b->last)
		ck_assert_int_eq(buf_add_str(&s->lines, "<P>\n"), 0);
	if (b->loss) {
		s->lost += b->to.offset - b->from.offset;
		(void)snprintf(s->cause, sizeof(s->cause), "%s", b->loss);
	} else if (b->hole) {
		s->holes += b->to.offset - b->from.offset;
	}
	h->arrived++;
	if (b->to.offset > b->from.offset)
		s->last_at = h->arrived;
	s->offset = b->to.offset;
	s->base = b->to.base;
	s->crc = b->to.crc;
	s->ended = s->ended || b->ended;
}

static void acknowledge(struct host *h)
{
	struct host_batch **at = &h->batch;
	registry_announce(h->registry);
	while (*at) {
		struct host_batch *b = *at;
		accept(h, b);
		source_commit(h->table, b->source, &b->to);
		if (b->ended)
			source_move(h->table, b->source, SOURCE_ENDED);
		registry_touch(h->registry, b->source);
		*at = b->next;
		buf_free(&b->raw);
		free(b);
	}
	h->arena = 0;
}

/* --- the pump --- */

static struct host_batch *add_batch(struct host *h, struct source *s, const struct position *to)
{
	struct host_batch *b = calloc(1, sizeof(*b)), **at = &h->batch;
	ck_assert_ptr_nonnull(b);
	b->source = s;
	b->from = s->cursor;
	b->to = *to;
	while (*at)
		at = &(*at)->next;
	*at = b;
	return b;
}

static bool read_one(struct host *h, struct source *s)
{
	struct span in;
	uint64_t hole = 0;
	struct position to = s->cursor;
	if (s->lost_to > s->lost_from && s->lost_from == s->cursor.offset) {
		to.offset = to.base = s->lost_to;
		to.crc = CRC64_EMPTY;
		add_batch(h, s, &to)->loss = s->lost_cause;
		s->lost_from = s->lost_to = 0;
		follow_skip(s, &to);
		return true;
	}
	if (s->state == SOURCE_DRAINED) {
		add_batch(h, s, &to)->ended = true;
		source_move(h->table, s, SOURCE_ENDING);
		return false;
	}
	int r = follow_read(h->table, s, h->buffer, BUFFER, &in, &hole);
	if (r == FOLLOW_HOLE) {
		to.offset += hole;
		to.crc = crc64_add_zeros(to.crc, hole);
		add_batch(h, s, &to)->hole = true;
		follow_skip(s, &to);
		return true;
	}
	if (r != FOLLOW_DATA && r != FOLLOW_LAST)
		return false;
	size_t whole = in.len;
	while (r == FOLLOW_DATA && whole && in.ptr[whole - 1] != '\n')
		whole--;
	if (!whole)
		return false;
	in.len = whole;
	to.offset += whole;
	to.crc = crc64_add(to.crc, in.ptr, whole);
	struct host_batch *b = add_batch(h, s, &to);
	ck_assert_int_eq(buf_add_span(&b->raw, in), 0);
	b->last = r == FOLLOW_LAST;
	follow_advance(s, in, &to);
	h->arena += whole;
	return true;
}

static bool pump(struct host *h)
{
	bool any = false;
	elder_tick(h->table, clock_mono_ns());
	while (h->arena < h->arena_max) {
		struct source *s = source_next_ready(h->table);
		if (!s)
			break;
		if (s->cursor.offset == s->start && s->state != SOURCE_DRAINED &&
		    elder_goes_first(h->table, s, clock_mono_ns())) {
			elder_wait(h->table, s, clock_mono_ns());
			continue;
		}
		elder_wait_over(s);
		bool more = read_one(h, s);
		elder_had_turn(h->table, s, !more);
		if (more) {
			source_set_ready(h->table, s);
			any = true;
		}
	}
	discover_look_at_unread(h->discover, clock_mono_ns());
	if (!h->down && h->batch) {
		acknowledge(h);
		any = true;
	}
	return any;
}

void host_take(struct host *h)
{
	skew_ns += DISCOVER_CADENCE_NS;
	discover_take(h->discover, clock_mono_ns());
	(void)registry_tick(h->registry, clock_mono_ns());
}

void host_turn(struct host *h)
{
	host_take(h);
	discover_look_at_unread(h->discover, clock_mono_ns());
}

void host_run(struct host *h)
{
	for (int quiet = 0, turns = 0; quiet < TURNS; turns++) {
		ck_assert_int_lt(turns, 100000);
		host_take(h);
		quiet = pump(h) ? 0 : quiet + 1;
	}
}

void host_pass(struct host *h, int64_t seconds)
{
	for (int64_t i = 0; i < seconds * 4; i++) {
		skew_ns += INT64_C(250000000);
		host_take(h);
		while (pump(h))
			;
	}
	host_run(h);
}
