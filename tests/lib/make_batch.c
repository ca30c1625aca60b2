/* Batches by hand: see make_batch.h. */
#include "tests/lib/make_batch.h"

#include "common/clock.h"
#include "common/crc64.h"
#include "common/file.h"
#include "common/gzip.h"
#include "common/line.h"
#include "common/num.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void make_source(struct make_source *s, const char *service, const char *name)
{
	*s = (struct make_source){0};
	(void)snprintf(s->name, sizeof(s->name), "%s", name);
	(void)snprintf(s->service, sizeof(s->service), "%s", service);
	ck_assert_int_eq(stream_id_random(&s->stream), 0);
}

void make_raw_chunk(struct buf *body, struct chunk *header, struct span payload)
{
	header->bytes = payload.len;
	ck_assert_int_eq(chunk_encode(header, body), 0);
	ck_assert_int_eq(buf_add_span(body, payload), 0);
}

static int64_t now_us(void)
{
	return clock_real_ns() / NUM_US_NS;
}

static void add_line(struct make_source *s, struct buf *raw, struct buf *payload)
{
	size_t before = raw->len;
	ck_assert_int_eq(buf_printf(raw, "%s %llu", s->name, (unsigned long long)++s->lines), 0);
	if (s->padding)
		ck_assert_int_eq(buf_printf(raw, " %0*d", (int)s->padding, 0), 0);
	int64_t time_us = s->time_us ? s->time_us : now_us();
	if (s->time_us)
		s->time_us += s->step_us;
	ck_assert_int_eq(line_add_payload(payload, time_us, (struct line_flags){.kind = LINE_HEAD},
					  span_from(buf_span(raw), before)),
			 0);
	ck_assert_int_eq(buf_add_char(raw, '\n'), 0);
}

void make_chunk(struct buf *body, struct make_source *s, const char *host, size_t n)
{
	struct buf raw = BUF_EMPTY, payload = BUF_EMPTY;
	for (size_t i = 0; i < n; i++)
		add_line(s, &raw, &payload);
	char path[128];
	(void)snprintf(path, sizeof(path), "/var/log/%s.log", s->name);
	struct chunk c = {
		.stream = s->stream,
		.host = span_of(host),
		.service = span_of(s->service),
		.instance = span_of(s->instance),
		.path = span_of(path),
		.ino = 131,
		.btime_ns = 1795327401225242264,
		.start = s->start,
		.from = s->offset,
		.to = s->offset + raw.len,
		.base = s->base,
		.crc_from = s->crc,
		.crc = crc64_add(s->crc, raw.ptr, raw.len),
		.lines = n,
	};
	make_raw_chunk(body, &c, buf_span(&payload));
	s->offset = c.to;
	s->crc = c.crc;
	buf_free(&raw);
	buf_free(&payload);
}

/* --- submissions --- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all answers */
static pthread_cond_t come = PTHREAD_COND_INITIALIZER;

static void answered(struct submission *sub, void *user)
{
	struct make_answer *a = user;
	if (a) {
		(void)pthread_mutex_lock(&lock);
		a->result = sub->result;
		a->n = sub->batch.n_chunks;
		a->verdicts = calloc(a->n + 1, sizeof(*a->verdicts));
		if (a->verdicts && a->n)
			memcpy(a->verdicts, sub->verdicts, a->n * sizeof(*a->verdicts));
		a->answered = true;
		(void)pthread_cond_broadcast(&come);
		(void)pthread_mutex_unlock(&lock);
	}
	submission_unref(sub);
}

static void compress(struct span body, struct buf *out)
{
	struct gzip_encoder *e = gzip_encoder_new();
	ck_assert_ptr_nonnull(e);
	gzip_encoder_start(e, out);
	ck_assert_int_eq(gzip_encoder_add(e, body), 0);
	ck_assert_int_eq(gzip_encoder_finish(e), 0);
	gzip_encoder_free(e);
}

struct submission *make_submission(struct store *s, const char *host, uint64_t session,
				   struct span body, struct make_answer *answer)
{
	struct submission *sub = submission_new();
	ck_assert_ptr_nonnull(sub);
	(void)snprintf(sub->host, sizeof(sub->host), "%s", host);
	sub->session = session;
	compress(body, &sub->gzip_body);
	ck_assert_int_eq(buf_add_span(&sub->body, body), 0);
	char why[256] = "";
	int r = batch_parse(buf_span(&sub->body), &sub->batch, why, sizeof(why));
	ck_assert_msg(r == 0, "%s", why);
	size_t n = sub->batch.n_chunks;
	sub->terms = calloc(n + 1, sizeof(*sub->terms));
	sub->rendered = calloc(n + 1, sizeof(*sub->rendered));
	sub->verdicts = calloc(n + 1, sizeof(*sub->verdicts));
	for (size_t i = 0; i < n; i++) {
		struct batch_chunk *c = &sub->batch.chunks[i];
		sub->terms[i] = store_terms(s, c->header.service, now_us());
		if (!c->refused)
			ck_assert_int_eq(
				render_chunk(c, span_of(host), sub->terms[i], &sub->rendered[i]),
				0);
	}
	sub->answered = answered;
	sub->user = answer;
	return sub;
}

void make_submit(struct store *s, const char *host, uint64_t session, struct span body,
		 struct make_answer *answer)
{
	if (answer)
		*answer = (struct make_answer){0};
	store_submit(s, make_submission(s, host, session, body, answer));
}

void make_wait(struct make_answer *answer)
{
	(void)pthread_mutex_lock(&lock);
	while (!answer->answered)
		(void)pthread_cond_wait(&come, &lock);
	(void)pthread_mutex_unlock(&lock);
}

void make_answer_free(struct make_answer *answer)
{
	free(answer->verdicts);
	*answer = (struct make_answer){0};
}

enum chunk_status make_send(struct store *s, const char *host, uint64_t session,
			    struct make_source *source, size_t n_lines)
{
	struct buf body = BUF_EMPTY;
	make_chunk(&body, source, host, n_lines);
	struct make_answer a;
	make_submit(s, host, session, buf_span(&body), &a);
	make_wait(&a);
	ck_assert_int_eq(a.result, 0);
	ck_assert_uint_eq(a.n, 1);
	enum chunk_status status = a.verdicts[0].status;
	if (status == CHUNK_COMMITTED) {
		ck_assert_uint_eq(a.verdicts[0].offset, source->offset);
		ck_assert_uint_eq(a.verdicts[0].crc, source->crc);
	}
	make_answer_free(&a);
	buf_free(&body);
	return status;
}

/* --- sessions --- */

struct opened {
	bool done;
	int result;
	uint64_t session;
};

static void session_done(void *user, int result, uint64_t session)
{
	struct opened *o = user;
	(void)pthread_mutex_lock(&lock);
	*o = (struct opened){.done = true, .result = result, .session = session};
	(void)pthread_cond_broadcast(&come);
	(void)pthread_mutex_unlock(&lock);
}

uint64_t make_session(struct store *s, const char *host, const char *machine, int *ret_result)
{
	struct opened o = {0};
	struct session_request q = {.host = span_of(host),
				    .machine = span_of(machine),
				    .agent = SPAN_LITERAL("11111111-2222-4333-8444-555555555555"),
				    .received_us = now_us()};
	ck_assert_int_eq(store_session_open(s, &q, session_done, &o), 0);
	(void)pthread_mutex_lock(&lock);
	while (!o.done)
		(void)pthread_cond_wait(&come, &lock);
	(void)pthread_mutex_unlock(&lock);
	if (ret_result)
		*ret_result = o.result;
	else
		ck_assert_int_eq(o.result, 0);
	return o.session;
}

struct rows {
	bool done;
	int result;
	struct buf text;
};

static void rows_done(void *user, int result, struct span rows)
{
	struct rows *r = user;
	(void)pthread_mutex_lock(&lock);
	if (result == 0)
		ck_assert_int_eq(buf_add_span(&r->text, rows), 0);
	r->result = result;
	r->done = true;
	(void)pthread_cond_broadcast(&come);
	(void)pthread_mutex_unlock(&lock);
}

int make_rows(struct store *s, const char *host,
	      void (*each)(void *user, const struct stream_row *row), void *user)
{
	struct rows r = {0};
	ck_assert_int_eq(store_streams(s, span_of(host), NULL, 1000, rows_done, &r), 0);
	(void)pthread_mutex_lock(&lock);
	while (!r.done)
		(void)pthread_cond_wait(&come, &lock);
	(void)pthread_mutex_unlock(&lock);
	for (struct span rest = buf_span(&r.text); rest.len;) {
		size_t end = span_find(rest, '\n');
		struct buf scratch = BUF_EMPTY;
		struct stream_row row;
		const char *why;
		ck_assert_int_eq(stream_row_decode(span_first(rest, end), &scratch, &row, &why), 0);
		each(user, &row);
		buf_free(&scratch);
		rest = span_from(rest, end + 1);
	}
	buf_free(&r.text);
	return r.result;
}

void make_seek(struct make_source *s, uint64_t offset, uint64_t crc)
{
	struct buf ignored = BUF_EMPTY;
	s->offset = s->crc = s->lines = 0;
	while (s->offset < offset)
		make_chunk(&ignored, s, "h", 1);
	buf_free(&ignored);
	ck_assert_uint_eq(s->offset, offset);
	ck_assert_uint_eq(s->crc, crc);
}

struct store *make_store(const char *data_dir, const struct store_config *config)
{
	struct store_config c = {.segment_bytes = UINT64_C(1) << 28};
	if (config)
		c = *config;
	c.data_dir = data_dir;
	struct conf_error err = {""};
	struct store *s = NULL;
	int r = store_open(&c, &s, &err);
	ck_assert_msg(r == 0, "store_open: %d %s", r, err.text);
	return s;
}

/* --- the oracle --- */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A live file comes after the closed ones of its host, which "web.log" does not do by itself. */
static void sort_key(const char *name, char key[512])
{
	size_t len = strlen(name);
	bool live = len > 4 && strcmp(name + len - 4, ".log") == 0 &&
		    !(len > 9 && name[len - 9] == '.' && strspn(name + len - 8, "0123456789") == 4);
	if (live)
		(void)snprintf(key, 512, "%.*s.9999.log", (int)(len - 4), name);
	else
		(void)snprintf(key, 512, "%s", name);
}

static int by_segment(const void *a, const void *b)
{
	char x[512], y[512];
	sort_key(*(char *const *)a, x);
	sort_key(*(char *const *)b, y);
	return strcmp(x, y);
}

static size_t list(const char *dir, char ***ret, int (*order)(const void *, const void *))
{
	DIR *d = opendir(dir);
	size_t n = 0;
	*ret = NULL;
	for (struct dirent *e; d && (e = readdir(d));) {
		if (e->d_name[0] == '.' || strcmp(e->d_name, "today") == 0)
			continue;
		*ret = realloc(*ret, (n + 1) * sizeof(char *));
		(*ret)[n] = malloc(strlen(dir) + strlen(e->d_name) + 2);
		(void)sprintf((*ret)[n++], "%s/%s", dir, e->d_name);
	}
	if (d)
		(void)closedir(d);
	if (n)
		qsort(*ret, n, sizeof(char *), order);
	return n;
}

static void read_line(struct span line, const char *path, struct make_lines *l)
{
	struct stored_line stored;
	if (line_parse_stored(line, &stored) < 0)
		return; /* somebody's note */
	size_t blank = span_find(stored.message, ' ');
	struct span number =
		span_from(stored.message, blank == stored.message.len ? blank : blank + 1);
	number = span_first(number, span_find(number, ' '));
	uint64_t v;
	ck_assert_msg(num_parse_u64(number, &v) == 0, "%s: %.*s", path, (int)line.len, line.ptr);
	if ((l->n & (l->n - 1)) == 0) {
		size_t capacity = l->n ? l->n * 2 : 1;
		l->numbers = realloc(l->numbers, capacity * sizeof(*l->numbers));
		l->names = realloc(l->names, capacity * sizeof(*l->names));
	}
	l->numbers[l->n] = v;
	(void)snprintf(l->names[l->n++], sizeof(*l->names), "%.*s", (int)blank, stored.message.ptr);
}

static void read_file(const char *path, struct make_lines *l)
{
	struct buf b = BUF_EMPTY;
	ck_assert_int_eq(file_read(AT_FDCWD, path, SIZE_MAX / 4, &b), 0);
	for (struct span rest = buf_span(&b); rest.len;) {
		size_t end = span_find(rest, '\n');
		ck_assert_msg(end < rest.len, "%s does not end in LF", path);
		read_line(span_first(rest, end), path, l);
		rest = span_from(rest, end + 1);
	}
	buf_free(&b);
}

static void walk(const char *dir, int depth, struct make_lines *l)
{
	char **names;
	size_t n = list(dir, &names, depth == 2 ? by_segment : by_name);
	for (size_t i = 0; i < n; i++) {
		if (depth == 2)
			read_file(names[i], l);
		else
			walk(names[i], depth + 1, l);
		free(names[i]);
	}
	free(names);
}

void make_read_archive(const char *data_dir, struct make_lines *ret)
{
	*ret = (struct make_lines){0};
	walk(data_dir, 0, ret);
}

void make_lines_free(struct make_lines *l)
{
	free(l->numbers);
	free(l->names);
}

void make_check(const struct make_lines *l, const char *name, uint64_t acknowledged, uint64_t sent)
{
	uint64_t expected = 1;
	for (size_t i = 0; i < l->n; i++) {
		if (strcmp(l->names[i], name) != 0)
			continue;
		ck_assert_msg(l->numbers[i] == expected, "%s: line %llu where %llu was due", name,
			      (unsigned long long)l->numbers[i], (unsigned long long)expected);
		expected++;
	}
	ck_assert_msg(expected > acknowledged, "%s: %llu lines, %llu were acknowledged", name,
		      (unsigned long long)expected - 1, (unsigned long long)acknowledged);
	ck_assert_msg(expected <= sent + 1, "%s: more lines than were sent", name);
}
