/* Counting by key: see tally.h. Used by count, top and patterns.
 *
 * Keys are hashed into a table of this thread's own. A table that has grown to its share of memory
 * goes to a sorter as it is, and a new one begins; the sorters' merge brings equal keys together,
 * and adds them up. So the number of different keys does not matter, only speed does. */
#include "collector/query/tally.h"

#include <errno.h>
#include <stdlib.h>

enum { SLOTS_FIRST = 1024, SORTER_SHARE = 4 /* a fourth of the memory is the sorter's */ };

struct slot {
	uint64_t hash;
	uint32_t key, len; /* in the arena */
	struct tally_value value;
};

struct tally {
	size_t memory;
	struct slot *slots; /* open addressing; count 0: free */
	size_t n_slots, n;
	struct buf arena;
	struct sorter *sorter;
};

struct tally *tally_new(size_t memory)
{
	struct tally *t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->memory = memory - memory / SORTER_SHARE;
	t->n_slots = SLOTS_FIRST;
	t->slots = calloc(t->n_slots, sizeof(*t->slots));
	t->sorter = sorter_new(RECORD_BY_BODY, memory / SORTER_SHARE, 0);
	if (!t->slots || !t->sorter) {
		tally_free(t);
		return NULL;
	}
	return t;
}

void tally_free(struct tally *t)
{
	if (!t)
		return;
	free(t->slots);
	buf_free(&t->arena);
	sorter_free(t->sorter);
	free(t);
}

static uint64_t hash_key(struct span s)
{
	uint64_t h = s.len * UINT64_C(0x9e3779b97f4a7c15);
	while (s.len >= 8) {
		uint64_t word;
		memcpy(&word, s.ptr, sizeof(word));
		h = (h ^ word) * UINT64_C(0xd6e8feb86659fd93);
		h ^= h >> 32;
		s = span_from(s, 8);
	}
	uint64_t word = 0;
	if (s.len)
		memcpy(&word, s.ptr, s.len);
	h = (h ^ word) * UINT64_C(0xd6e8feb86659fd93);
	return h ^ h >> 32;
}

static struct slot *slot_of(const struct tally *t, struct span key, uint64_t hash)
{
	for (size_t i = hash & (t->n_slots - 1);; i = (i + 1) & (t->n_slots - 1)) {
		struct slot *s = &t->slots[i];
		if (s->value.count == 0)
			return s;
		if (s->hash == hash && s->len == key.len &&
		    memcmp(t->arena.ptr + s->key, key.ptr, key.len) == 0)
			return s;
	}
}

static int grow(struct tally *t)
{
	size_t n = t->n_slots * 2;
	struct slot *slots = calloc(n, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < t->n_slots; i++) {
		const struct slot *s = &t->slots[i];
		if (s->value.count == 0)
			continue;
		size_t to = s->hash & (n - 1);
		while (slots[to].value.count)
			to = (to + 1) & (n - 1);
		slots[to] = *s;
	}
	free(t->slots);
	t->slots = slots;
	t->n_slots = n;
	return 0;
}

/* Everything goes to the sorter. A body is the key and, behind it, what is known. */
static int flush(struct tally *t)
{
	struct buf body = BUF_EMPTY;
	int r = 0;
	for (size_t i = 0; r == 0 && i < t->n_slots; i++) {
		const struct slot *s = &t->slots[i];
		if (s->value.count == 0)
			continue;
		buf_clear(&body);
		r = buf_add(&body, t->arena.ptr + s->key, s->len);
		if (r == 0)
			r = buf_add(&body, &s->value, sizeof(s->value));
		const struct record record = {.key_at = s->len, .body = buf_span(&body)};
		if (r == 0)
			r = sorter_add(t->sorter, &record);
	}
	buf_free(&body);
	memset(t->slots, 0, t->n_slots * sizeof(*t->slots));
	buf_clear(&t->arena);
	t->n = 0;
	return r;
}

static int make_room(struct tally *t, size_t len)
{
	if (t->n >= t->n_slots / 2) {
		size_t after = 2 * t->n_slots * sizeof(*t->slots) + t->arena.cap;
		int r = after <= t->memory ? grow(t) : flush(t);
		if (r < 0)
			return r;
	}
	if (t->n && t->arena.len + len + t->n_slots * sizeof(*t->slots) > t->memory) {
		int r = flush(t);
		if (r < 0)
			return r;
	}
	return buf_reserve(&t->arena, len);
}

static void add_up(struct tally_value *to, const struct tally_value *more)
{
	if (to->count == 0) {
		*to = *more;
		return;
	}
	to->count += more->count;
	if (more->first_us < to->first_us)
		to->first_us = more->first_us;
	if (more->last_us > to->last_us)
		to->last_us = more->last_us;
}

int tally_add(struct tally *t, struct span key, const struct tally_value *value)
{
	if (key.len > TALLY_KEY_MAX)
		key.len = TALLY_KEY_MAX;
	uint64_t hash = hash_key(key);
	struct slot *s = slot_of(t, key, hash);
	if (s->value.count == 0) {
		int r = make_room(t, key.len);
		if (r < 0)
			return r;
		s = slot_of(t, key, hash); /* it may be another by now */
		*s = (struct slot){
			.hash = hash, .key = (uint32_t)t->arena.len, .len = (uint32_t)key.len};
		r = buf_add_span(&t->arena, key);
		if (r < 0)
			return r;
		t->n++;
	}
	add_up(&s->value, value);
	return 0;
}

int tally_count(struct tally *t, struct span key)
{
	static const struct tally_value one = {.count = 1};
	return tally_add(t, key, &one);
}

/* --- reading --- */

int tally_open(struct tally *const *tallies, size_t n, struct tally_reader *ret)
{
	struct sorter **sorters = calloc(n, sizeof(struct sorter *));
	int r = sorters ? 0 : -ENOMEM;
	*ret = (struct tally_reader){.merge = NULL};
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = flush(tallies[i]);
		sorters[i] = tallies[i]->sorter;
	}
	if (r == 0)
		r = merge_open(sorters, n, &ret->merge);
	free(sorters);
	return r;
}

static struct tally_value value_of(const struct record *r)
{
	struct tally_value value;
	memcpy(&value, r->body.ptr + r->key_at, sizeof(value));
	return value;
}

int tally_next(struct tally_reader *r, struct span *ret_key, struct tally_value *ret)
{
	int result = 1;
	if (!r->has_waiting)
		result = merge_next(r->merge, &r->waiting);
	r->has_waiting = false;
	if (result <= 0)
		return result;
	buf_clear(&r->key);
	result = buf_add_span(&r->key, span_first(r->waiting.body, r->waiting.key_at));
	if (result < 0)
		return result;
	*ret = value_of(&r->waiting);
	while ((result = merge_next(r->merge, &r->waiting)) > 0) {
		struct tally_value more;
		if (!span_equal(span_first(r->waiting.body, r->waiting.key_at),
				buf_span(&r->key))) {
			r->has_waiting = true;
			break;
		}
		more = value_of(&r->waiting);
		add_up(ret, &more);
	}
	*ret_key = buf_span(&r->key);
	return result < 0 ? result : 1;
}

void tally_close(struct tally_reader *r)
{
	merge_close(r->merge);
	buf_free(&r->key);
	*r = (struct tally_reader){.merge = NULL};
}
