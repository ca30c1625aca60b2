/* Limits of a host: see limits.h. Called by store_submit (judge.c) before it judges a batch.
 *
 * The question costs a comparison or two as long as the host is far from its limits. Near them it
 * is answered exactly for files, whose number is small, and to the safe side for streams: a stream
 * that is begun twice within one batch counts twice. Memory that runs out while counting puts the
 * batch off as well. */
#include "collector/store/limits.h"

#include "collector/store/core.h"
#include "common/chunk.h"
#include "common/civil.h"

#include <stdlib.h>

/* One file that the batch needs. */
struct wanted {
	int32_t day;
	struct span service;
};

/* In any order that puts equal ones side by side. */
static int by_day_and_service(const void *a, const void *b)
{
	const struct wanted *x = a, *y = b;
	if (x->day != y->day)
		return x->day < y->day ? -1 : 1;
	if (x->service.len != y->service.len)
		return x->service.len < y->service.len ? -1 : 1;
	return memcmp(x->service.ptr, y->service.ptr, x->service.len);
}

static size_t n_distinct(struct wanted *wanted, size_t n)
{
	size_t distinct = n > 0;
	qsort(wanted, n, sizeof(*wanted), by_day_and_service);
	for (size_t i = 1; i < n; i++)
		distinct += by_day_and_service(&wanted[i - 1], &wanted[i]) != 0;
	return distinct;
}

static size_t n_days(const struct submission *sub)
{
	size_t n = 0;
	for (size_t i = 0; i < sub->batch.n_chunks; i++)
		n += sub->rendered[i].n_days;
	return n;
}

/* Repeats need no file. Of the others any may yet be taken, once those before it in the batch
 * are. */
static bool is_repeat(const struct store *s, const struct host *host, const struct chunk *c)
{
	const struct stream *stream = streams_find(&s->streams, host, &c->stream);
	return stream && stream_judge(stream, c) == STREAM_DUPLICATE;
}

static size_t new_files(const struct store *s, const struct host *host,
			const struct submission *sub, struct wanted *wanted)
{
	size_t n = 0;
	for (size_t i = 0; i < sub->batch.n_chunks; i++) {
		const struct chunk *c = &sub->batch.chunks[i].header;
		const struct rendered_chunk *rendered = &sub->rendered[i];
		if (rendered->n_days == 0 || is_repeat(s, host, c))
			continue;
		for (size_t k = 0; k < rendered->n_days; k++)
			if (!shards_find(&s->shards, rendered->days[k].day, c->service,
					 span_of(host->name)))
				wanted[n++] = (struct wanted){rendered->days[k].day, c->service};
	}
	return n_distinct(wanted, n);
}

static bool too_many_files(const struct store *s, const struct host *host,
			   const struct submission *sub)
{
	size_t most = n_days(sub);
	uint64_t limit = s->config.host_files ? s->config.host_files : STORE_NEW_SHARDS_PER_HOST;
	bool same_day = sub->batch.n_chunks &&
			host->new_shards_day == civil_day_of_us(sub->terms[0].received_us);
	uint64_t begun = same_day ? host->new_shards : 0;
	if (begun + most <= limit)
		return false;
	struct wanted *wanted = malloc(most * sizeof(*wanted));
	size_t more = wanted ? new_files(s, host, sub, wanted) : most;
	free(wanted);
	return more > 0 && begun + more > limit;
}

struct growth {
	uint64_t streams, bytes;
};

static struct growth stream_growth(const struct store *s, const struct host *host,
				   const struct submission *sub)
{
	struct growth g = {0};
	for (size_t i = 0; i < sub->batch.n_chunks; i++) {
		const struct chunk *c = &sub->batch.chunks[i].header;
		const struct stream *stream = streams_find(&s->streams, host, &c->stream);
		size_t now = stream ? stream->weight : 0, then = stream_weight_with(c);
		bool grows = stream || c->from == c->start;
		if (sub->batch.chunks[i].refused || !grows)
			continue;
		g.streams += !stream;
		g.bytes += then > now ? then - now : 0;
	}
	return g;
}

static const char *too_many_streams(const struct store *s, const struct host *host,
				    const struct submission *sub)
{
	uint64_t streams = host->open.n + host->ended.n, most = sub->batch.n_chunks;
	if (streams + most <= STORE_STREAMS_PER_HOST &&
	    host->stream_bytes + most * (sizeof(struct stream) + CHUNK_HEADER_MAX) <=
		    STORE_STREAM_BYTES_PER_HOST)
		return NULL;
	struct growth g = stream_growth(s, host, sub);
	if (g.streams && streams + g.streams > STORE_STREAMS_PER_HOST)
		return "the host has more streams than the collector takes";
	if (g.bytes && host->stream_bytes + g.bytes > STORE_STREAM_BYTES_PER_HOST)
		return "the host's streams take more memory than the collector gives";
	return NULL;
}

const char *limits_beyond(const struct store *s, struct host *host, const struct submission *sub)
{
	const char *which =
		too_many_files(s, host, sub)
			? "the host has begun as many files today as max_host_files allows"
			: too_many_streams(s, host, sub);
	host->beyond = which;
	return which;
}

void limits_count_shard(struct host *host, int64_t received_us)
{
	int32_t today = civil_day_of_us(received_us);
	if (host->new_shards_day != today) {
		host->new_shards_day = today;
		host->new_shards = 0;
	}
	host->new_shards++;
}
