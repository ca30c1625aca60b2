/* The table of streams: see streams.h. A host's sets are sorted arrays of pointers: a
 * birth moves what stands behind it (8 bytes a stream), a page is a binary search and a
 * walk. Both sets always have room for all streams of the host, so that a stream that
 * ends cannot fail to change sets. */
#include "collector/store/streams.h"

#include "collector/store/session.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { SET_FIRST = 8 };

struct key {
	const struct host *host;
	struct stream_id id;
};

static bool has_key(const void *entry, const void *key)
{
	const struct stream *s = entry;
	const struct key *k = key;
	return s->host == k->host && stream_id_equal(&s->id, &k->id);
}

/* A peer chooses its ids, hence the keyed hash. */
static uint64_t hash_of(const struct streams *t, const struct key *k)
{
	char bytes[sizeof(k->id.bytes) + sizeof(k->host)];
	memcpy(bytes, k->id.bytes, sizeof(k->id.bytes));
	memcpy(bytes + sizeof(k->id.bytes), &k->host, sizeof(k->host));
	return map_hash(&t->by_key, span_make(bytes, sizeof(bytes)));
}

void streams_init(struct streams *t)
{
	map_init(&t->by_key, has_key);
	list_init(&t->dirty);
}

void streams_free(struct streams *t)
{
	size_t cursor = 0;
	for (struct stream *s; (s = map_next(&t->by_key, &cursor));)
		stream_free(s);
	map_free(&t->by_key);
}

struct stream *streams_find(const struct streams *t, const struct host *host,
			    const struct stream_id *id)
{
	struct key k = {.host = host, .id = *id};
	return map_find(&t->by_key, hash_of(t, &k), &k);
}

/* --- sets --- */

/* Where the id stands or would stand. */
static size_t lower_bound(const struct stream_set *set, const struct stream_id *id)
{
	size_t low = 0, high = set->n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (memcmp(set->at[mid]->id.bytes, id->bytes, sizeof(id->bytes)) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool stands_at(const struct stream_set *set, size_t at, const struct stream_id *id)
{
	return at < set->n && stream_id_equal(&set->at[at]->id, id);
}

static int set_reserve(struct stream_set *set, size_t n)
{
	if (n <= set->capacity)
		return 0;
	size_t capacity = set->capacity ? set->capacity * 2 : SET_FIRST;
	struct stream **at = realloc(set->at, capacity * sizeof(*at));
	if (!at)
		return -ENOMEM;
	set->at = at;
	set->capacity = capacity;
	return 0;
}

static void set_add(struct stream_set *set, struct stream *s)
{
	size_t at = lower_bound(set, &s->id);
	assert(set->n < set->capacity && !stands_at(set, at, &s->id));
	memmove(set->at + at + 1, set->at + at, (set->n - at) * sizeof(struct stream *));
	set->at[at] = s;
	set->n++;
}

static void set_remove(struct stream_set *set, const struct stream *s)
{
	size_t at = lower_bound(set, &s->id);
	assert(stands_at(set, at, &s->id));
	set->n--;
	memmove(set->at + at, set->at + at + 1, (set->n - at) * sizeof(struct stream *));
}

static struct stream_set *set_of(struct host *host, bool ended)
{
	return ended ? &host->ended : &host->open;
}

/* --- changes --- */

/* The host's sum follows what its streams weigh. */
static void weigh(struct stream *s)
{
	uint32_t now = (uint32_t)stream_weight(s);
	s->host->stream_bytes += now;
	s->host->stream_bytes -= s->weight;
	s->weight = now;
}

int streams_add(struct streams *t, struct stream *s)
{
	struct host *host = s->host;
	size_t n = host->open.n + host->ended.n + 1;
	int r = set_reserve(&host->open, n);
	if (r == 0)
		r = set_reserve(&host->ended, n);
	if (r < 0)
		return r;
	struct key k = {.host = host, .id = s->id};
	r = map_add(&t->by_key, hash_of(t, &k), s);
	if (r < 0)
		return r;
	set_add(set_of(host, s->ended), s);
	weigh(s);
	return 0;
}

void streams_forget(struct streams *t, struct stream *s)
{
	struct key k = {.host = s->host, .id = s->id};
	(void)map_remove(&t->by_key, hash_of(t, &k), &k);
	set_remove(set_of(s->host, s->ended), s);
	list_remove(&s->dirty);
	s->host->stream_bytes -= s->weight;
	stream_free(s);
}

void streams_changed(struct streams *t, struct stream *s, bool was_ended)
{
	if (s->ended != was_ended) {
		set_remove(set_of(s->host, was_ended), s);
		set_add(set_of(s->host, s->ended), s);
	}
	weigh(s);
	if (!list_linked(&s->dirty))
		list_add_last(&t->dirty, &s->dirty);
}

/* --- pages --- */

static size_t take(const struct stream_set *set, size_t from, size_t limit, struct stream **ret)
{
	size_t n = 0;
	while (n < limit && from + n < set->n) {
		ret[n] = set->at[from + n];
		n++;
	}
	return n;
}

size_t streams_page(const struct streams *t, const struct host *host, const struct stream_id *after,
		    size_t limit, struct stream **ret)
{
	size_t open_from = 0, ended_from = 0;
	const struct stream *last = after ? streams_find(t, host, after) : NULL;
	if (last && last->ended) {
		open_from = host->open.n;
		ended_from = lower_bound(&host->ended, after) + 1;
	} else if (after) {
		open_from = lower_bound(&host->open, after);
		open_from += stands_at(&host->open, open_from, after);
	}
	size_t n = take(&host->open, open_from, limit, ret);
	return n + take(&host->ended, ended_from, limit - n, ret + n);
}
