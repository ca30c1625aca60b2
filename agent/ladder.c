/* Rungs: see ladder.h. follow adds them as the cursor moves; the registry keeps them; the
 * copy matcher and the check after a restart use them.
 *
 * Invariants: offsets ascend strictly and lie above base; all checksums begin at base.
 * The first rung stays for good (a candidate that is no copy is found out after its first
 * bytes), and thinning takes every second rung of the older half, so spacing doubles with
 * age. */
#include "agent/ladder.h"

#include "common/crc64.h"

#include <stdlib.h>

enum { FIRST_POWER = 64, CAPACITY_FIRST = 4 };

void ladder_free(struct ladder *l)
{
	free(l->rungs);
	*l = (struct ladder){0};
}

static void thin(struct ladder *l)
{
	uint16_t kept = 0, half = (uint16_t)(l->n / 2);
	for (uint16_t i = 0; i < l->n; i++)
		if (i >= half || i % 2 == 0)
			l->rungs[kept++] = l->rungs[i];
	l->n = kept;
}

static bool make_room(struct ladder *l)
{
	if (l->n < l->capacity)
		return true;
	if (l->n == LADDER_MAX) {
		thin(l);
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
	/* The head, and those powers that a copy a little shorter than this can end
	 * behind. */
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
