/* The table's indexes by inode and by log: see source_table.h. Both hold the heads of chains
 * through the sources.
 *
 * They have room: source_add has seen to it (source_index_reserve), and to remove an entry makes
 * room for another. */
#include "agent/files/source_table.h"

#include "agent/files/rotation.h"
#include "common/crc64.h"

#include <assert.h>

static bool ino_is(const void *entry, const void *key)
{
	const struct source *s = entry;
	return s->ino == *(const uint64_t *)key;
}

static bool family_is(const void *entry, const void *key)
{
	const struct source *s = entry;
	return s->family == *(const uint64_t *)key;
}

void source_index_init(struct source_table *t)
{
	map_init(&t->by_ino, ino_is);
	map_init(&t->by_family, family_is);
}

void source_index_free(struct source_table *t)
{
	map_free(&t->by_ino);
	map_free(&t->by_family);
}

int source_index_reserve(struct source_table *t)
{
	int r = map_reserve(&t->by_ino, 1);
	return r == 0 ? map_reserve(&t->by_family, 1) : r;
}

/* Takes `s` out of a chain; returns its head then, NULL: it is empty. */
static struct source *unchain(struct source *head, struct source *s, struct source *next,
			      struct source **(*link)(struct source *))
{
	if (head == s)
		return next;
	for (struct source *at = head; at; at = *link(at)) {
		if (*link(at) == s) {
			*link(at) = next;
			break;
		}
	}
	return head;
}

static struct source **same_ino(struct source *s)
{
	return &s->same_ino;
}

static struct source **same_family(struct source *s)
{
	return &s->same_family;
}

static void put(struct map *m, uint64_t key, struct source *head)
{
	int r = head ? map_add(m, key, head) : 0;
	assert(r == 0);
}

void source_index_ino(struct source_table *t, struct source *s)
{
	s->same_ino = map_remove(&t->by_ino, s->ino, &s->ino);
	put(&t->by_ino, s->ino, s);
}

void source_unindex_ino(struct source_table *t, struct source *s)
{
	struct source *head = map_remove(&t->by_ino, s->ino, &s->ino);
	put(&t->by_ino, s->ino, unchain(head, s, s->same_ino, same_ino));
	s->same_ino = NULL;
}

void source_index_family(struct source_table *t, struct source *s)
{
	struct span dir = path_dir(s->path);
	uint64_t family = rotation_family(path_name(s->path));
	s->family = crc64_add(family, dir.ptr, dir.len);
	s->same_family = map_remove(&t->by_family, s->family, &s->family);
	put(&t->by_family, s->family, s);
}

void source_unindex_family(struct source_table *t, struct source *s)
{
	struct source *head = map_remove(&t->by_family, s->family, &s->family);
	put(&t->by_family, s->family, unchain(head, s, s->same_family, same_family));
	s->same_family = NULL;
}
