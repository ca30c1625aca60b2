/* What ingest counts: see meters.h. request.c counts, page.c shows. */
#include "collector/ingest/meters.h"

static const unsigned statuses[] = {200, 400, 401, 403, 404, 405, 409,
				    413, 415, 429, 500, 503, 507};
_Static_assert(sizeof(statuses) / sizeof(*statuses) == METERS_N_STATUSES, "a slot for each");

unsigned meters_status(size_t i)
{
	return i < METERS_N_STATUSES ? statuses[i] : 0;
}

void meters_count_answer(struct meters *m, unsigned status)
{
	size_t i = 0;
	while (i < METERS_N_STATUSES && statuses[i] != status)
		i++;
	meters_add(&m->answers[i], 1);
}
