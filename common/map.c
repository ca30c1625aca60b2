/* A hash table: see map.h. Used for sources by identity, streams by id, shards by name.
 *
 * Invariants: at most three quarters of the slots are taken, so every probe ends at an empty one;
 * between an entry's home slot and the slot it is in there is no empty one. Only map_add and
 * map_reserve take memory, and they change nothing when there is none. */
#include "common/map.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

struct map_slot {
	uint64_t hash;
	void *entry; /* NULL: empty */
};

enum { CAPACITY_FIRST = 16 };

void map_init(struct map *m, map_equal *equal)
{
	*m = (struct map){.equal = equal};
	/* Early in boot there may be no randomness yet: then collisions can be made, no more. */
	if (getrandom(&m->seed, sizeof(m->seed), GRND_NONBLOCK) != sizeof(m->seed))
		m->seed = (uint64_t)(uintptr_t)m;
}

void map_free(struct map *m)
{
	free(m->slots);
	m->slots = NULL;
	m->capacity = m->count = 0;
}

/* Fibonacci hashing: the high bits of the product depend on all bits of the hash. */
static size_t home_of(const struct map *m, uint64_t hash)
{
	uint64_t mixed = (hash ^ m->seed) * UINT64_C(0x9e3779b97f4a7c15);
	return (size_t)(mixed >> 32) & (m->capacity - 1);
}

static size_t slot_after(const struct map *m, size_t at)
{
	return (at + 1) & (m->capacity - 1);
}

/* The slot of the key, or SIZE_MAX. */
static size_t slot_of(const struct map *m, uint64_t hash, const void *key)
{
	if (!m->capacity)
		return SIZE_MAX;
	for (size_t at = home_of(m, hash); m->slots[at].entry; at = slot_after(m, at))
		if (m->slots[at].hash == hash && m->equal(m->slots[at].entry, key))
			return at;
	return SIZE_MAX;
}

void *map_find(const struct map *m, uint64_t hash, const void *key)
{
	size_t at = slot_of(m, hash, key);
	return at == SIZE_MAX ? NULL : m->slots[at].entry;
}

static void put(struct map *m, struct map_slot slot)
{
	size_t at = home_of(m, slot.hash);
	while (m->slots[at].entry)
		at = slot_after(m, at);
	m->slots[at] = slot;
}

int map_reserve(struct map *m, size_t more)
{
	size_t capacity = m->capacity ? m->capacity : CAPACITY_FIRST;
	/* home_of tells 2^32 slots apart. */
	if (more > UINT32_MAX / 2 || m->count > UINT32_MAX / 2)
		return -ENOMEM;
	while (m->count + more > capacity / 4 * 3)
		capacity *= 2;
	if (capacity == m->capacity)
		return 0;
	struct map_slot *slots = calloc(capacity, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	struct map old = *m;
	m->slots = slots;
	m->capacity = capacity;
	for (size_t i = 0; i < old.capacity; i++)
		if (old.slots[i].entry)
			put(m, old.slots[i]);
	free(old.slots);
	return 0;
}

int map_add(struct map *m, uint64_t hash, void *entry)
{
	assert(entry);
	int r = map_reserve(m, 1);
	if (r < 0)
		return r;
	put(m, (struct map_slot){hash, entry});
	m->count++;
	return 0;
}

/* Empties the slot and moves back every following entry that could then not be found. */
static void clear_slot(struct map *m, size_t hole)
{
	size_t mask = m->capacity - 1;
	for (size_t at = slot_after(m, hole); m->slots[at].entry; at = slot_after(m, at)) {
		size_t home = home_of(m, m->slots[at].hash);
		/* Its probe passes the hole when the hole is not before its home. */
		if (((at - home) & mask) >= ((at - hole) & mask)) {
			m->slots[hole] = m->slots[at];
			hole = at;
		}
	}
	m->slots[hole] = (struct map_slot){0};
	m->count--;
}

void *map_remove(struct map *m, uint64_t hash, const void *key)
{
	size_t at = slot_of(m, hash, key);
	if (at == SIZE_MAX)
		return NULL;
	void *entry = m->slots[at].entry;
	clear_slot(m, at);
	return entry;
}

void *map_next(const struct map *m, size_t *cursor)
{
	while (*cursor < m->capacity) {
		void *entry = m->slots[(*cursor)++].entry;
		if (entry)
			return entry;
	}
	return NULL;
}

void map_remove_at(struct map *m, size_t *cursor)
{
	assert(*cursor > 0 && *cursor <= m->capacity && m->slots[*cursor - 1].entry);
	/* What moves into the slot has not been seen. */
	(*cursor)--;
	clear_slot(m, *cursor);
}

static uint64_t rotate(uint64_t v, unsigned by)
{
	return v << by | v >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
}

/* Aumasson and Bernstein, "SipHash: a fast short-input PRF", with one and three rounds. The second
 * half of the key is fixed: 64 random bits are enough here. */
uint64_t map_hash(const struct map *m, struct span key)
{
	uint64_t v[4] = {
		m->seed ^ UINT64_C(0x736f6d6570736575),
		UINT64_C(0x646f72616e646f6d),
		m->seed ^ UINT64_C(0x6c7967656e657261),
		UINT64_C(0x7465646279746573),
	};
	uint64_t word, last = (uint64_t)key.len << 56;
	while (key.len >= sizeof(word)) {
		memcpy(&word, key.ptr, sizeof(word));
		sip_word(v, word);
		key = span_from(key, sizeof(word));
	}
	for (size_t i = 0; i < key.len; i++)
		last |= (uint64_t)(uint8_t)key.ptr[i] << (8 * i);
	sip_word(v, last);
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
