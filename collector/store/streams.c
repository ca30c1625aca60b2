/* The table of streams: see streams.h. A page is a walk over the host's sets; who ended when is a
 * list beside them. Nothing but the table itself takes memory, so that a stream that ends cannot
 * fail to change sets. */
#include "collector/store/streams.h"

#include "collector/store/session.h"

#include <errno.h>
#include <stdlib.h>

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
	free(t->forgotten);
	t->forgotten = NULL;
	t->n_forgotten = t->forgotten_capacity = 0;
}

struct stream *streams_find(const struct streams *t, const struct host *host,
			    const struct stream_id *id)
{
	struct key k = {.host = host, .id = *id};
	return map_find(&t->by_key, hash_of(t, &k), &k);
}

/* --- sets --- */

static void set_add(struct stream *s)
{
	struct host *host = s->host;
	stream_set_add(s->ended ? &host->ended : &host->open, s);
	if (s->ended)
		list_add_last(&host->ended_order, &s->ended_order);
}

static void set_remove(struct stream *s, bool ended)
{
	struct host *host = s->host;
	stream_set_remove(ended ? &host->ended : &host->open, s);
	if (host->ended_next == &s->ended_order)
		host->ended_next = list_next(&host->ended_order, &s->ended_order);
	list_remove(&s->ended_order);
}

struct stream *streams_next_ended(struct host *host)
{
	struct list_node *at = host->ended_next ? host->ended_next : list_first(&host->ended_order);
	host->ended_next = at ? list_next(&host->ended_order, at) : NULL;
	host->ended_passed = host->ended_next ? host->ended_passed + 1 : 0;
	return at ? LIST_ENTRY(at, struct stream, ended_order) : NULL;
}

void streams_first_ended(struct host *host)
{
	host->ended_next = NULL;
	host->ended_passed = 0;
}

static int by_last(const void *a, const void *b)
{
	const struct stream *const *x = a, *const *y = b;
	if ((*x)->last_us != (*y)->last_us)
		return (*x)->last_us < (*y)->last_us ? -1 : 1;
	return ((*x)->row > (*y)->row) - ((*x)->row < (*y)->row);
}

int streams_order_ended(struct host *host)
{
	size_t n = 0;
	struct stream **all = malloc((host->ended.n + 1) * sizeof(struct stream *));
	if (!all)
		return -ENOMEM;
	for (struct list_node *l; (l = list_take_first(&host->ended_order));)
		all[n++] = LIST_ENTRY(l, struct stream, ended_order);
	qsort(all, n, sizeof(struct stream *), by_last);
	for (size_t i = 0; i < n; i++)
		list_add_last(&host->ended_order, &all[i]->ended_order);
	streams_first_ended(host);
	free(all);
	return 0;
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
	struct key k = {.host = s->host, .id = s->id};
	uint64_t hash = hash_of(t, &k);
	int r = map_add(&t->by_key, hash, s);
	if (r < 0)
		return r;
	s->node.priority = (uint32_t)(hash >> 32);
	set_add(s);
	weigh(s);
	return 0;
}

int streams_forget(struct streams *t, struct stream *s)
{
	struct key k = {.host = s->host, .id = s->id};
	if (t->n_forgotten == t->forgotten_capacity) {
		size_t capacity = t->forgotten_capacity ? t->forgotten_capacity * 2 : 64;
		uint64_t *rows = realloc(t->forgotten, capacity * sizeof(*rows));
		if (!rows)
			return -ENOMEM;
		t->forgotten = rows;
		t->forgotten_capacity = capacity;
	}
	t->forgotten[t->n_forgotten++] = s->row;
	(void)map_remove(&t->by_key, hash_of(t, &k), &k);
	set_remove(s, s->ended);
	list_remove(&s->dirty);
	s->host->stream_bytes -= s->weight;
	s->host->lost_bytes -= s->lost_bytes;
	stream_free(s);
	return 0;
}

void streams_changed(struct streams *t, struct stream *s, bool was_ended)
{
	if (s->ended != was_ended) {
		set_remove(s, was_ended);
		set_add(s);
	}
	weigh(s);
	if (!list_linked(&s->dirty))
		list_add_last(&t->dirty, &s->dirty);
}

/* --- pages --- */

static size_t take(const struct stream_set *set, const struct stream_id *after, size_t limit,
		   struct stream **ret)
{
	size_t n = 0;
	for (struct stream *s; n < limit && (s = stream_set_after(set, after)); after = &s->id)
		ret[n++] = s;
	return n;
}

size_t streams_page(const struct streams *t, const struct host *host, const struct stream_id *after,
		    size_t limit, struct stream **ret)
{
	const struct stream *last = after ? streams_find(t, host, after) : NULL;
	if (last && last->ended)
		return take(&host->ended, after, limit, ret);
	size_t n = take(&host->open, after, limit, ret);
	return n + take(&host->ended, NULL, limit - n, ret + n);
}
