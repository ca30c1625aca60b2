/* Rungs: see ladder.h. follow adds them as the cursor moves; the registry keeps them; the copy
 * matcher and the check after a restart use them.
 *
 * Invariants: offsets ascend strictly and lie above base; all checksums begin at base. The first
 * rung stays for good: a candidate that is no copy is found out after its first bytes. */
#include "agent/files/ladder.h"

#include "common/crc64.h"

#include <stdlib.h>

enum { FIRST_POWER = 64, CAPACITY_FIRST = 2 };

void ladder_free(struct ladder *l)
{
	free(l->rungs);
	*l = (struct ladder){0};
}

/* Drops the rung that is needed least: the one whose neighbours lie closest together, measured by
 * how far they are from the end. So spacing grows in proportion to that distance. */
static void drop_one(struct ladder *l)
{
	uint64_t end = l->rungs[l->n - 1].offset;
	uint16_t least = 1;
	double least_gap = 0;
	for (uint16_t i = 1; i + 1 < l->n; i++) {
		double gap = (double)(l->rungs[i + 1].offset - l->rungs[i - 1].offset) /
			     (double)(end - l->rungs[i].offset);
		if (i == 1 || gap < least_gap) {
			least = i;
			least_gap = gap;
		}
	}
	l->n--;
	memmove(l->rungs + least, l->rungs + least + 1, (l->n - least) * sizeof(*l->rungs));
}

static bool make_room(struct ladder *l)
{
	if (l->n < l->capacity)
		return true;
	if (l->n == LADDER_MAX) {
		drop_one(l);
		return true;
	}
	uint16_t capacity = l->capacity ? (uint16_t)(l->capacity * 2) : CAPACITY_FIRST;
	struct rung *rungs = realloc(l->rungs, capacity * sizeof(*rungs));
	if (!rungs)
		return false;
	l->rungs = rungs;
	l->capacity = capacity;
	return true;
}

void ladder_add(struct ladder *l, uint64_t base, uint64_t offset, uint64_t crc)
{
	if (offset <= base)
		return;
	if (l->base != base) {
		l->n = 0;
		l->base = base;
	}
	if (l->n && offset <= l->rungs[l->n - 1].offset)
		return;
	if (make_room(l))
		l->rungs[l->n++] = (struct rung){offset, crc};
}

void ladder_climb(struct ladder *l, const struct position *from, struct span bytes,
		  const struct position *to)
{
	uint64_t at = from->offset, crc = from->crc;
	/* The head, and those powers that a copy a little shorter than this can end behind. */
	for (uint64_t power = FIRST_POWER; power < to->offset && power; power *= 2) {
		if (power <= at || (power != FIRST_POWER && power < to->offset / 8))
			continue;
		if (power - from->offset >= bytes.len)
			break;
		crc = crc64_add(crc, bytes.ptr + (at - from->offset), (size_t)(power - at));
		at = power;
		ladder_add(l, to->base, at, crc);
	}
	ladder_add(l, to->base, to->offset, to->crc);
}

const struct rung *ladder_find(const struct ladder *l, uint64_t offset)
{
	const struct rung *found = NULL;
	for (uint16_t i = 0; i < l->n && l->rungs[i].offset <= offset; i++)
		found = &l->rungs[i];
	return found;
}
