/* Ended streams: see past.h. Discover adds them and asks when an unknown file with a rotated name
 * turns up, which is seldom: so the list is searched from one end to the other (8,192 of them in
 * some 50 us), and an index would only cost memory. */
#include "agent/files/past.h"

#include "agent/files/follow.h"
#include "agent/files/rotation.h"
#include "agent/files/source.h"
#include "common/clock.h"
#include "common/num.h"

#include <stdlib.h>

enum { CAPACITY_FIRST = 16 };

/* The more it has, the better: the first bytes may be a banner, which all files of the log begin
 * with. */
static struct rung head_of(const struct ladder *l)
{
	const struct rung *head = ladder_find(l, l->base + FOLLOW_CHECK_BYTES);
	if (!head && l->n)
		head = l->rungs;
	return head ? *head : (struct rung){0};
}

bool past_of(const struct source *s, struct past *ret)
{
	if (!s->born || s->committed.offset <= s->start)
		return false;
	*ret = (struct past){
		.id = s->id,
		.family = rotation_family(path_name(s->path)),
		.ino = s->ino,
		.btime_ns = s->btime_ns,
		.start = s->start,
		.base = s->committed.base,
		.end = {s->committed.offset, s->committed.crc},
		.ended_s = clock_real_ns() / NUM_SEC_NS,
	};
	if (s->ladder.base == ret->base)
		ret->head = head_of(&s->ladder);
	return true;
}

void past_init(struct past_list *l)
{
	*l = (struct past_list){0};
}

void past_free(struct past_list *l)
{
	free(l->items);
	past_init(l);
}

static void remove_at(struct past_list *l, size_t i)
{
	memmove(l->items + i, l->items + i + 1, (l->n - i - 1) * sizeof(*l->items));
	l->n--;
}

void past_remove(struct past_list *l, const struct stream_id *id)
{
	for (size_t i = 0; i < l->n; i++) {
		if (stream_id_equal(&l->items[i].id, id)) {
			remove_at(l, i);
			return;
		}
	}
}

void past_add(struct past_list *l, const struct past *p)
{
	past_remove(l, &p->id);
	if (l->n == PAST_MAX)
		remove_at(l, 0);
	if (l->n == l->capacity) {
		size_t capacity = l->capacity ? l->capacity * 2 : CAPACITY_FIRST;
		struct past *items = realloc(l->items, capacity * sizeof(*items));
		if (!items)
			return;
		l->items = items;
		l->capacity = capacity;
	}
	l->items[l->n++] = *p;
}

const struct past *past_by_file(const struct past_list *l, uint64_t ino, int64_t btime_ns)
{
	/* Without a birth time the inode may be any file's by now. */
	for (size_t i = l->n; btime_ns && i-- > 0;)
		if (l->items[i].ino == ino && l->items[i].btime_ns == btime_ns)
			return &l->items[i];
	return NULL;
}

const struct past *past_by_id(const struct past_list *l, const struct stream_id *id)
{
	for (size_t i = l->n; i-- > 0;)
		if (stream_id_equal(&l->items[i].id, id))
			return &l->items[i];
	return NULL;
}

const struct past *past_of_family(const struct past_list *l, uint64_t family, size_t *cursor)
{
	while (*cursor < l->n) {
		const struct past *p = &l->items[(*cursor)++];
		if (p->family == family)
			return p;
	}
	return NULL;
}
