/* Losses: see losses.h. Added to by the shipper when the collector has a loss on disk. */
#include "agent/ship/losses.h"

#include "common/clock.h"

#include <stdlib.h>

static struct loss_sum *sum_of(struct losses *l, const char *cause)
{
	for (size_t i = 0; i < l->n_sums; i++)
		if (strcmp(l->sums[i].cause, cause) == 0)
			return &l->sums[i];
	if (l->n_sums == LOSSES_CAUSES)
		return &l->sums[LOSSES_CAUSES - 1];
	l->sums[l->n_sums].cause = l->n_sums == LOSSES_CAUSES - 1 ? "other" : cause;
	return &l->sums[l->n_sums++];
}

void losses_add(struct losses *l, const char *path, const char *cause, uint64_t from, uint64_t to)
{
	struct loss_sum *sum = sum_of(l, cause);
	sum->records++;
	sum->bytes += to - from;
	struct loss_record *r = &l->last[l->n++ % LOSSES_LAST];
	free(r->path);
	*r = (struct loss_record){strdup(path), cause, from, to, clock_real_ns()};
}

void losses_free(struct losses *l)
{
	for (size_t i = 0; i < LOSSES_LAST; i++)
		free(l->last[i].path);
	*l = (struct losses){0};
}
