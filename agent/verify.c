/* haul-agent verify: see verify.h. Called by main, beside the running agent or without one.
 *
 *     ask the collector for the host's streams -> choose those that the file may be -> read the file once and compare
 *     -> say which bytes are there
 *
 * A file is known by its inode and birth time, by its path, or, being a renamed, copied or
 * compressed one, by having the very bytes of a stream: the collector's checksum of [base, offset)
 * decides in any case. Where it does not agree the agent's registry tells up to where it did: it
 * remembers checksums on the way (its ladder). */
#include "agent/verify.h"

#include "agent/files/compare.h"
#include "agent/files/identity.h"
#include "agent/files/registry_format.h"
#include "agent/files/source.h"
#include "agent/ship/inquiry.h"
#include "common/array.h"
#include "common/file.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { EXIT_COMPLETE = 0, EXIT_INCOMPLETE = 1, EXIT_TROUBLE = 2 };

#define REGISTRY_MAX ((size_t)1 << 30)
#define RUNG         SIZE_MAX /* a point's tag: a rung of the suspect's ladder */

/* A stream that the file may be. */
struct candidate {
	struct stream_id id;
	char *path, *service;
	uint64_t start, base, offset, crc;
	bool same_file, same_path, ended;
};

struct verify {
	const struct setup *setup;
	char path[PATH_MAX];
	struct identity identity;
	int fd;
	const char *url; /* that answered */
	struct candidate *items;
	size_t n, capacity;
	struct compare_point *points;
	size_t n_points, points_capacity;
	struct compare_result file;
	int damage; /* of a gzip file: -EBADMSG */
	const struct candidate *suspect;
};

/* --- the collector's streams --- */

static int take_row(void *user, const struct stream_row *row)
{
	struct verify *v = user;
	int r = array_room(&v->items, v->n, &v->capacity, sizeof(*v->items));
	if (r < 0)
		return r;
	struct candidate c = {
		.id = row->stream,
		.path = strndup(row->path.len ? row->path.ptr : "", row->path.len),
		.service = strndup(row->service.len ? row->service.ptr : "", row->service.len),
		.start = row->start,
		.base = row->base,
		.offset = row->offset,
		.crc = row->crc,
		.ended = row->ended,
		.same_file = row->ino == v->identity.ino && row->btime_ns == v->identity.btime_ns,
		.same_path = span_is(row->path, v->path),
	};
	v->items[v->n++] = c;
	return c.path && c.service ? 0 : -ENOMEM;
}

static void forget_rows(struct verify *v)
{
	for (size_t i = 0; i < v->n; i++) {
		free(v->items[i].path);
		free(v->items[i].service);
	}
	v->n = 0;
}

/* The first collector that answers. */
static int ask(struct verify *v)
{
	const struct collector_options *c = v->setup->collector;
	struct inquiry_config config = {.exchange = {.token_file = c->token_file,
						     .ca_file = c->ca_file,
						     .pin = c->pin,
						     .client_cert = c->client_cert,
						     .client_key = c->client_key,
						     .timeout_ns = c->timeout_ns},
					.host = v->setup->host};
	int r = -ENOTCONN;
	for (size_t i = 0; r < 0 && i < c->urls.n; i++) {
		char why[512];
		config.url = v->url = c->urls.items[i];
		forget_rows(v);
		r = inquiry_run(&config, take_row, v, why, sizeof(why));
		if (r < 0)
			log_error("collector %s: %s", v->url, why);
	}
	return r;
}

/* --- what to compare --- */

static int add_point(struct verify *v, struct compare_point point)
{
	int r = array_room(&v->points, v->n_points, &v->points_capacity, sizeof(*v->points));
	if (r == 0)
		v->points[v->n_points++] = point;
	return r;
}

/* The one that it should be, by what is known without its bytes: the stream of this inode, else one
 * of its path that goes on. */
static const struct candidate *find_suspect(const struct verify *v)
{
	const struct candidate *best = NULL;
	for (size_t i = 0; i < v->n; i++) {
		const struct candidate *c = &v->items[i];
		if (!c->same_file && !(c->same_path && !c->ended))
			continue;
		if (!best || (c->same_file && (!best->same_file || best->ended)))
			best = c;
	}
	return best;
}

static int add_rungs(struct verify *v, const struct source *s)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < s->ladder.n; i++)
		r = add_point(v, (struct compare_point){.base = s->ladder.base,
							.offset = s->ladder.rungs[i].offset,
							.crc = s->ladder.rungs[i].crc,
							.tag = RUNG});
	return r;
}

/* What the agent remembers of it. Without a registry that can be read there is one answer less. */
static int add_ladder(struct verify *v)
{
	char path[PATH_MAX];
	struct buf text = BUF_EMPTY;
	int64_t alive_ns;
	int r = 0;
	int len = snprintf(path, sizeof(path), "%s/registry", v->setup->agent->state_dir);
	if (!v->suspect || len >= (int)sizeof(path) ||
	    file_read(AT_FDCWD, path, REGISTRY_MAX, &text) < 0)
		return 0;
	struct source_table *t = source_table_new();
	for (struct span rest = buf_span(&text); t && rest.len;) {
		size_t end = span_find(rest, '\n');
		(void)!registry_take_line(span_first(rest, end), t, &alive_ns);
		rest = span_from(rest, end < rest.len ? end + 1 : end);
	}
	const struct source *s = t ? source_by_id(t, &v->suspect->id) : NULL;
	if (s && s->ladder.base == v->suspect->base)
		r = add_rungs(v, s);
	source_table_free(t);
	buf_free(&text);
	return r;
}

/* Each further base costs a checksum of the whole file: a copy of a stream that lost bytes is
 * recognised only where it is known by more than its bytes. */
static int add_points(struct verify *v)
{
	int r = 0;
	v->suspect = find_suspect(v);
	for (size_t i = 0; r == 0 && i < v->n; i++) {
		const struct candidate *c = &v->items[i];
		if (c->offset > c->base && (c->base == 0 || c->same_file || c->same_path))
			r = add_point(v, (struct compare_point){.base = c->base,
								.offset = c->offset,
								.crc = c->crc,
								.tag = i});
	}
	return r < 0 ? r : add_ladder(v);
}

/* The file has a stream of its own that it should have the bytes of: a shorter one that it happens
 * to begin with says nothing. */
static bool is_chance(const struct verify *v, const struct candidate *c)
{
	const struct candidate *own = v->suspect;
	return own && own->same_file && !c->same_file && c->offset < own->offset;
}

/* The stream that the file begins with, the longest one; NULL: none. */
static const struct candidate *find_match(const struct verify *v)
{
	const struct candidate *best = NULL;
	for (size_t i = 0; i < v->n_points; i++) {
		const struct compare_point *p = &v->points[i];
		if (!p->equal || p->tag == RUNG)
			continue;
		const struct candidate *c = &v->items[p->tag];
		if (is_chance(v, c))
			continue;
		if (!best || c->offset > best->offset || (c->same_file && !best->same_file))
			best = c;
	}
	return best;
}

/* --- the answer --- */

static const char *id_text(const struct candidate *c, char text[STREAM_ID_HEX + 1])
{
	stream_id_format(text, &c->id);
	text[STREAM_ID_HEX] = '\0';
	return text;
}

static void say_where(const struct verify *v, const struct candidate *c)
{
	char id[STREAM_ID_HEX + 1];
	printf("  stream %s of service %s at %s", id_text(c, id), c->service, v->url);
	if (!c->same_path)
		printf(", there as %s", c->path);
	printf(c->ended ? ", ended\n" : "\n");
}

/* What is before the bytes that were compared. */
static void say_before(const struct candidate *c)
{
	if (c->start)
		printf("  bytes 0 to %" PRIu64 " were there before: the agent began behind them\n",
		       c->start);
	if (c->base > c->start)
		printf("  bytes %" PRIu64 " to %" PRIu64
		       " end with a loss; `haul verify` on the log server tells which of them are "
		       "there\n",
		       c->start, c->base);
}

static int say_match(const struct verify *v, const struct candidate *c)
{
	uint64_t missing = v->file.size - c->offset;
	bool complete = !missing && c->base == c->start && !v->damage;
	printf("%s: %s\n  bytes %" PRIu64 " to %" PRIu64 " are there: checksum %016" PRIx64
	       " agrees\n",
	       v->path, complete ? "complete" : "NOT complete", c->base, c->offset, c->crc);
	if (missing)
		printf("  bytes %" PRIu64 " to %" PRIu64 " (%" PRIu64 ") are not there yet\n",
		       c->offset, v->file.size, missing);
	if (missing && v->file.unfinished)
		printf("  its last %" PRIu64
		       " bytes are a line without an end, which waits for it\n",
		       v->file.unfinished);
	say_before(c);
	say_where(v, c);
	return complete ? EXIT_COMPLETE : EXIT_INCOMPLETE;
}

/* Up to where does the file agree, and from where on does it not? By the agent's memory. */
static void say_difference(const struct verify *v)
{
	uint64_t agrees = 0, differs = 0;
	for (size_t i = 0; i < v->n_points; i++) {
		const struct compare_point *p = &v->points[i];
		if (p->tag != RUNG || !p->reached)
			continue;
		if (p->equal)
			agrees = p->offset;
		else if (!differs)
			differs = p->offset;
	}
	if (agrees)
		printf("  bytes %" PRIu64 " to %" PRIu64
		       " are there: the agent remembers their checksum\n",
		       v->suspect->base, agrees);
	if (differs && (agrees || differs < v->suspect->offset))
		printf("  between byte %" PRIu64 " and %" PRIu64 " they differ\n",
		       agrees ? agrees : v->suspect->base, differs);
}

static int say_suspect(const struct verify *v)
{
	const struct candidate *c = v->suspect;
	const struct compare_point *point = NULL;
	for (size_t i = 0; i < v->n_points; i++)
		if (v->points[i].tag != RUNG && &v->items[v->points[i].tag] == c)
			point = &v->points[i];
	printf("%s: NOT complete\n", v->path);
	if (c->offset == c->base) {
		printf("  bytes %" PRIu64 " to %" PRIu64 " are not there yet\n", c->offset,
		       v->file.size);
	} else if (point && point->reached) {
		printf("  bytes %" PRIu64 " to %" PRIu64 " differ: their checksum is %016" PRIx64
		       ", the collector's %016" PRIx64 "\n",
		       c->base, c->offset, point->found, c->crc);
	} else {
		printf("  the collector has bytes %" PRIu64 " to %" PRIu64
		       ", the file ends at %" PRIu64 ": it was cut\n",
		       c->base, c->offset, v->file.size);
	}
	say_difference(v);
	say_before(c);
	say_where(v, c);
	return EXIT_INCOMPLETE;
}

static int say_unknown(const struct verify *v)
{
	if (v->file.size == 0) {
		printf("%s: complete: it is empty\n", v->path);
		return EXIT_COMPLETE;
	}
	printf("%s: NOT complete\n  nothing of its %" PRIu64
	       " bytes is known at %s (`haul-agent explain` says whether it is followed)\n",
	       v->path, v->file.size, v->url);
	return EXIT_INCOMPLETE;
}

static int say(const struct verify *v)
{
	const struct candidate *match = find_match(v);
	if (v->damage)
		log_error("%s: its compression is damaged or not finished; what is before that was "
			  "compared",
			  v->path);
	if (match)
		return say_match(v, match);
	return v->suspect && v->file.size ? say_suspect(v) : say_unknown(v);
}

/* --- */

static int find_path(struct verify *v, const char *path)
{
	char cwd[PATH_MAX] = "";
	if (*path != '/' && !getcwd(cwd, sizeof(cwd)))
		return -errno;
	int len = snprintf(v->path, sizeof(v->path), "%s%s%s", cwd, *cwd ? "/" : "", path);
	return len >= (int)sizeof(v->path) ? -ENAMETOOLONG : 0;
}

static int verify(struct verify *v, const char *path)
{
	int r = find_path(v, path);
	if (r == 0)
		r = identity_open(v->path, &v->identity, &v->fd);
	if (r < 0) {
		log_error("%s: %s", path, r == -EINVAL ? "not a regular file" : strerror(-r));
		return EXIT_TROUBLE;
	}
	if (ask(v) < 0)
		return EXIT_TROUBLE;
	r = add_points(v);
	if (r == 0)
		r = compare_file(v->fd, v->points, v->n_points, &v->file);
	if (r == -EBADMSG)
		v->damage = r;
	else if (r < 0) {
		log_error("%s: %s", path, strerror(-r));
		return EXIT_TROUBLE;
	}
	return say(v);
}

int verify_run(const struct setup *s, const char *path)
{
	struct verify v = {.setup = s, .fd = -1};
	int code = verify(&v, path);
	if (fflush(stdout) != 0)
		code = EXIT_TROUBLE;
	forget_rows(&v);
	free(v.items);
	free(v.points);
	file_close(&v.fd);
	return code;
}
