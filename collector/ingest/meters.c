/* What ingest counts: see meters.h. request.c counts, page.c shows. */
#include "collector/ingest/meters.h"

#define METERS_LIST(status) status,
static const unsigned statuses[METERS_N_STATUSES] = {METERS_STATUSES(METERS_LIST)};

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
