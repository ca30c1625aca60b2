/* Floods: see flood.h. Used by log.c under its lock.
 *
 * A kind stands in the slot of its address, or the next ones; when all are taken, the one whose
 * minute began first makes room. That costs the count of what was left out of it, never a
 * message. */
#include "common/flood.h"

#include <stddef.h>

static struct flood_kind *slot_of(struct flood *f, const void *kind, int64_t now_ns)
{
	struct flood_kind *oldest = &f->kinds[0];
	for (size_t i = 0; i < FLOOD_KINDS; i++) {
		struct flood_kind *k = &f->kinds[((uintptr_t)kind / 8 + i) % FLOOD_KINDS];
		if (k->kind == kind)
			return k;
		if (!k->kind) {
			*k = (struct flood_kind){.kind = kind, .since_ns = now_ns};
			return k;
		}
		if (k->since_ns < oldest->since_ns)
			oldest = k;
	}
	*oldest = (struct flood_kind){.kind = kind, .since_ns = now_ns};
	return oldest;
}

enum flood_verdict flood_take(struct flood *f, const void *kind, int64_t now_ns,
			      uint64_t *ret_left_out)
{
	struct flood_kind *k = slot_of(f, kind, now_ns);
	*ret_left_out = 0;
	if (now_ns - k->since_ns >= FLOOD_WINDOW_NS) {
		*ret_left_out = k->left_out;
		*k = (struct flood_kind){.kind = kind, .since_ns = now_ns};
	}
	if (k->told >= FLOOD_BURST) {
		k->left_out++;
		return FLOOD_SILENT;
	}
	k->told++;
	return k->told == FLOOD_BURST ? FLOOD_TELL_LAST : FLOOD_TELL;
}
