/* What has arrived at a host's collector, and what its agent knows: see host.h. */
#include "tests/lib/host.h"

#include "common/array.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

const char *host_lines(const struct host *h)
{
	static struct buf out;
	struct buf all = BUF_EMPTY;
	char **lines = NULL;
	size_t n = 0, cap = 0;
	for (size_t i = 0; i < h->n_streams; i++)
		ck_assert_int_eq(buf_add_span(&all, buf_span(&h->streams[i].lines)), 0);
	char *text = (char *)buf_cstr(&all);
	for (char *at = strtok(text, "\n"); at; at = strtok(NULL, "\n")) {
		ck_assert_int_eq(array_room(&lines, n, &cap, sizeof(*lines)), 0);
		lines[n++] = at;
	}
	if (n)
		qsort(lines, n, sizeof(*lines), compare);
	buf_clear(&out);
	for (size_t i = 0; i < n; i++)
		ck_assert_int_eq(buf_printf(&out, "%s%s", i ? "|" : "", lines[i]), 0);
	free(lines);
	buf_free(&all);
	return buf_cstr(&out);
}

static void say_where(const struct host *h, const char *prefix, unsigned v)
{
	static unsigned said;
	char line[128];
	size_t len = (size_t)snprintf(line, sizeof(line), "%s %u\n", prefix, v);
	for (size_t i = 0; i < h->n_streams && said < 10; i++) {
		const struct host_stream *s = &h->streams[i];
		const char *at =
			s->lines.len ? memmem(s->lines.ptr, s->lines.len, line, len) : NULL;
		if (at && (at == s->lines.ptr || at[-1] == '\n')) {
			fprintf(stderr, "%s %u stands in the stream of %s, %02x%02x, %zu bytes\n",
				prefix, v, s->path, s->id.bytes[0], s->id.bytes[1], s->lines.len);
			said++;
		}
	}
}

void host_expect_numbers(const struct host *h, const char *prefix, unsigned n)
{
	unsigned *count = calloc(n + 1, sizeof(*count));
	size_t len = strlen(prefix);
	for (size_t i = 0; i < h->n_streams; i++) {
		unsigned before = 0;
		struct span left = buf_span(&h->streams[i].lines);
		while (left.len) {
			size_t at = span_find(left, '\n');
			if (at > len && memcmp(left.ptr, prefix, len) == 0 &&
			    left.ptr[len] == ' ') {
				unsigned v = (unsigned)strtoul(left.ptr + len, NULL, 10);
				ck_assert_msg(v > before, "%s: %s %u after %u", h->streams[i].path,
					      prefix, v, before);
				ck_assert_msg(v <= n, "%s %u was never written", prefix, v);
				count[v]++;
				before = v;
			}
			left = span_from(left, at < left.len ? at + 1 : at);
		}
	}
	for (unsigned v = 1; v <= n; v++)
		if (count[v] != 1)
			say_where(h, prefix, v);
	for (unsigned v = 1; v <= n; v++)
		ck_assert_msg(count[v] == 1, "%s %u is there %u times", prefix, v, count[v]);
	free(count);
}

struct host_stream *host_stream(const struct host *h, const char *name)
{
	struct host_stream *found = NULL;
	for (size_t i = 0; i < h->n_streams; i++)
		if (strcmp(h->streams[i].path, host_path(h, name)) == 0)
			found = &h->streams[i];
	return found;
}

struct source *host_source(const struct host *h, const char *name)
{
	for (struct source *s = source_first(h->table); s; s = source_after(h->table, s))
		if (strcmp(s->path, host_path(h, name)) == 0 && s->state != SOURCE_UNLINKED)
			return s;
	return NULL;
}

uint64_t host_lost(const struct host *h)
{
	uint64_t lost = 0;
	for (size_t i = 0; i < h->n_streams; i++)
		lost += h->streams[i].lost;
	return lost;
}

unsigned host_open_files(const struct host *h)
{
	struct discover_counters c;
	discover_counters(h->discover, &c);
	return (unsigned)c.open_files;
}

void host_dump(const struct host *h)
{
	const struct source *s = h->table ? source_first(h->table) : NULL;
	for (; s; s = source_after(h->table, s)) {
		const struct {
			bool on;
			const char *text;
		} flags[] = {
			{s->fd >= 0, "open"},
			{s->born, "born"},
			{s->cut, "cut"},
			{s->copied, "copied"},
			{s->compressed, "gzip"},
			{s->between, "between"},
			{s->held, "held"},
			{s->closing, "closing"},
			{s->refusal, "refused"},
			{s->searching, "searching"},
			{s->state == SOURCE_MISSING, source_state_name(s->was)},
		};
		fprintf(stderr, "    %02x%02x %-10s %-14s ino %llu names %u/%u", s->id.bytes[0],
			s->id.bytes[1], source_state_name(s->state), strrchr(s->path, '/') + 1,
			(unsigned long long)s->ino, s->names, s->followed);
		fprintf(stderr, " %llu<=%llu<=%llu of %llu, sure %llu, rungs %u",
			(unsigned long long)s->committed.offset,
			(unsigned long long)s->cursor.offset, (unsigned long long)s->tail_at,
			(unsigned long long)s->size, (unsigned long long)s->sure_size, s->ladder.n);
		if (s->lost_to > s->lost_from)
			fprintf(stderr, " lost %llu-%llu", (unsigned long long)s->lost_from,
				(unsigned long long)s->lost_to);
		for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
			if (flags[i].on)
				fprintf(stderr, " %s", flags[i].text);
		fputc('\n', stderr);
	}
}
