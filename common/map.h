/* A hash table of the caller's structs by keys that stand in them. It holds pointers only: who adds
 * an entry owns it, and keeps its key as it is while it is in the map.
 *
 * The caller hashes: an integer key is its own hash (the map mixes it once more), bytes go through
 * map_hash. Open addressing with linear probing; grows by doubling at three quarters full, never
 * shrinks; removal shifts back what follows, so that there are no tombstones and a map that churns
 * stays as fast as it began. Not thread-safe. */
#ifndef HAUL_COMMON_MAP_H
#define HAUL_COMMON_MAP_H

#include "common/buf.h"
#include "common/span.h"

#include <stdint.h>

/* Is this the entry with that key? Called for entries of the very same hash only. */
typedef bool map_equal(const void *entry, const void *key);

struct map {
	struct map_slot *slots; /* `capacity` of them, a power of two; NULL: none yet */
	size_t capacity;
	size_t count;  /* entries; may be read */
	uint64_t seed; /* random */
	map_equal *equal;
};

/* Takes no memory yet. */
void map_init(struct map *m, map_equal *equal);

/* Gives the table's memory back, not the entries, and leaves an empty map. */
void map_free(struct map *m);

/* The entry with the key, or NULL. */
void *map_find(const struct map *m, uint64_t hash, const void *key);

/* Adds an entry whose key is not in the map (the caller has asked). -ENOMEM: nothing has
 * changed. */
int map_add(struct map *m, uint64_t hash, void *entry) MUST_CHECK;

/* Makes room for `more` entries: so many map_add in a row do not fail then. */
int map_reserve(struct map *m, size_t more) MUST_CHECK;

/* Takes the entry with the key out and returns it; NULL when there is none. */
void *map_remove(struct map *m, uint64_t hash, const void *key);

/* Walks all entries in no order: *cursor is 0 to begin with; NULL at the end. Nothing is added or
 * removed meanwhile, but for map_remove_at of the entry just returned: then an entry may be seen
 * twice, but none is missed. */
void *map_next(const struct map *m, size_t *cursor);
void map_remove_at(struct map *m, size_t *cursor);

/* SipHash-1-3 under the map's seed: a peer that chooses keys cannot make them collide. */
uint64_t map_hash(const struct map *m, struct span key);

#endif
