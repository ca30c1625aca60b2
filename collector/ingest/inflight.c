/* Batches under way, by host: see inflight.h. Called by batches.c when a batch's host is known and
 * when its request is over. A host is in the table only while it has some, so the table is as large
 * as the connections are many. */
#include "collector/ingest/inflight.h"

#include "common/map.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

struct entry {
	unsigned n; /* 1 or more */
	char host[];
};

struct inflight {
	pthread_mutex_t lock; /* guards the rest */
	struct map by_host;
};

static bool has_host(const void *entry, const void *key)
{
	return strcmp(((const struct entry *)entry)->host, key) == 0;
}

struct inflight *inflight_new(void)
{
	struct inflight *f = calloc(1, sizeof(*f));
	if (f) {
		pthread_mutex_init(&f->lock, NULL);
		map_init(&f->by_host, has_host);
	}
	return f;
}

void inflight_free(struct inflight *f)
{
	if (!f)
		return;
	assert(f->by_host.count == 0);
	map_free(&f->by_host);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

static struct entry *add(struct inflight *f, uint64_t hash, const char *host)
{
	size_t len = strlen(host) + 1;
	struct entry *e = calloc(1, sizeof(*e) + len);
	if (!e)
		return NULL;
	memcpy(e->host, host, len);
	if (map_add(&f->by_host, hash, e) < 0) {
		free(e);
		return NULL;
	}
	return e;
}

bool inflight_enter(struct inflight *f, const char *host)
{
	pthread_mutex_lock(&f->lock);
	uint64_t hash = map_hash(&f->by_host, span_of(host));
	struct entry *e = map_find(&f->by_host, hash, host);
	if (!e)
		e = add(f, hash, host);
	bool room = e && e->n < INFLIGHT_PER_HOST;
	if (room)
		e->n++;
	pthread_mutex_unlock(&f->lock);
	return room;
}

void inflight_leave(struct inflight *f, const char *host)
{
	pthread_mutex_lock(&f->lock);
	uint64_t hash = map_hash(&f->by_host, span_of(host));
	struct entry *e = map_find(&f->by_host, hash, host);
	assert(e && e->n);
	if (--e->n == 0)
		free(map_remove(&f->by_host, hash, host));
	pthread_mutex_unlock(&f->lock);
}
