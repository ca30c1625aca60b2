/* The table of shards and the places in them: see shard.h. Called by judging for each committed
 * chunk, by the append thread when a file is not what it was, by the checkpoint to close segments,
 * and by recovery. Every shard that still has a segment anywhere is here (some 150 bytes each), so
 * that a late line for an old day finds the right number without asking the disk. */
#include "collector/store/shard.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct key {
	int32_t day;
	struct span service, host;
};

static bool has_key(const void *entry, const void *key)
{
	const struct shard *s = entry;
	const struct key *k = key;
	return s->day == k->day && span_equal(shard_host(s), k->host) &&
	       span_equal(shard_service(s), k->service);
}

static uint64_t hash_of(const struct shards *t, const struct key *k)
{
	char text[sizeof(k->day) + 2 * NAME_MAX_LEN + 1];
	char *at = text;
	assert(k->service.len <= NAME_MAX_LEN && k->host.len <= NAME_MAX_LEN);
	memcpy(at, &k->day, sizeof(k->day));
	at += sizeof(k->day);
	memcpy(at, k->service.ptr, k->service.len);
	at += k->service.len;
	*at++ = '/';
	memcpy(at, k->host.ptr, k->host.len);
	at += k->host.len;
	return map_hash(&t->by_key, span_make(text, (size_t)(at - text)));
}

void shards_init(struct shards *t)
{
	map_init(&t->by_key, has_key);
	list_init(&t->live);
}

void shards_free(struct shards *t)
{
	size_t cursor = 0;
	for (struct shard *s; (s = map_next(&t->by_key, &cursor));) {
		assert(!s->segment);
		free(s->moves);
		free(s);
	}
	map_free(&t->by_key);
}

struct shard *shards_find(const struct shards *t, int32_t day, struct span service,
			  struct span host)
{
	struct key k = {.day = day, .service = service, .host = host};
	return map_find(&t->by_key, hash_of(t, &k), &k);
}

struct shard *shards_get(struct shards *t, int32_t day, struct span service, struct span host)
{
	struct key k = {.day = day, .service = service, .host = host};
	uint64_t hash = hash_of(t, &k);
	struct shard *s = map_find(&t->by_key, hash, &k);
	if (s)
		return s;
	s = calloc(1, sizeof(*s) + service.len + host.len);
	if (!s)
		return NULL;
	s->day = day;
	s->next.number = s->last_number = 1;
	s->service_len = (uint8_t)service.len;
	s->host_len = (uint8_t)host.len;
	memcpy(s->names, service.ptr, service.len);
	memcpy(s->names + service.len, host.ptr, host.len);
	if (map_add(&t->by_key, hash, s) < 0) {
		free(s);
		return NULL;
	}
	return s;
}

/* --- places --- */

struct place shard_place(struct shards *t, struct shard *s, uint64_t length, int64_t mono_ns)
{
	struct place p = s->next;
	s->next.position += length;
	s->last_mono_ns = mono_ns;
	if (!list_linked(&s->live) && s->next.position)
		list_add_last(&t->live, &s->live);
	return p;
}

void shard_close(struct shard *s)
{
	s->closed_end = s->next;
	s->next = (struct place){.number = ++s->last_number};
	list_remove(&s->live);
}

void shard_set_next(struct shards *t, struct shard *s, struct place next)
{
	s->next = next;
	if (next.number > s->last_number)
		s->last_number = next.number;
	s->closed_end = (struct place){0};
	list_remove(&s->live);
	if (next.position)
		list_add_last(&t->live, &s->live);
}

/* --- moves --- */

int shard_add_move(struct shard *s, struct move m)
{
	struct move *moves = realloc(s->moves, (s->n_moves + 1) * sizeof(*moves));
	if (!moves)
		return -ENOMEM;
	s->moves = moves;
	moves[s->n_moves++] = m;
	return 0;
}

int shard_move(struct shards *t, struct shard *s, struct place from, bool gone)
{
	struct place next = s->next, to = {.number = s->last_number + 1};
	struct move moves[2] = {{.from = from, .to = to, .gone = gone}};
	int n = 1;
	if (from.number != next.number) {
		/* The checkpoint closed the segment while its last lines were still to be
		 * written. */
		assert(s->closed_end.number == from.number);
		assert(from.position <= s->closed_end.position);
		to.position = s->closed_end.position - from.position;
		/* The next one has not been made: its lines wait behind these. */
		moves[n++] = (struct move){.from = {.number = next.number}, .to = to, .gone = true};
		from = moves[1].from;
	}
	for (int i = 0; i < n; i++) {
		int r = shard_add_move(s, moves[i]);
		if (r < 0) {
			s->n_moves -= (size_t)i;
			return r;
		}
	}
	assert(next.position >= from.position);
	uint64_t waiting = next.position - from.position;
	shard_set_next(t, s,
		       (struct place){.number = to.number, .position = to.position + waiting});
	return n;
}

struct place shard_resolve(const struct shard *s, struct place p)
{
	/* In order: a move may take up where an earlier one ended. */
	for (size_t i = 0; i < s->n_moves; i++) {
		const struct move *m = &s->moves[i];
		if (p.number == m->from.number && p.position >= m->from.position)
			p = (struct place){.number = m->to.number,
					   .position = m->to.position +
						       (p.position - m->from.position)};
	}
	return p;
}

void shard_forget_moves(struct shard *s)
{
	free(s->moves);
	s->moves = NULL;
	s->n_moves = 0;
}
