/* What GET /v1/status shows: the picture, and its two forms. status.c takes it. */
#ifndef HAUL_COLLECTOR_INGEST_STATUS_PICTURE_H
#define HAUL_COLLECTOR_INGEST_STATUS_PICTURE_H

#include "collector/ingest/forecast.h"
#include "collector/ingest/health.h"
#include "collector/ingest/request.h"
#include "collector/ingest/roster.h"

struct picture {
	const char *listen;
	int64_t now_us, started_us;
	enum health health;
	bool has_store;
	char reason[DOOR_REASON_MAX + 32];
	char uuid[UUID_LEN + 1];
	struct store_counters counters;
	const struct archive_meters *archive;
	struct conns_state connections;
	unsigned requests;
	struct budget_state receiving, working;
	int64_t full_s;   /* until the disk is full; FORECAST_NEVER */
	double fill_rate; /* bytes a second */
	struct roster roster;
};

/* "1.5 GiB", "12s": shared by the table and the problems. */
const char *picture_bytes(double bytes, char dst[32]);
const char *picture_time(int64_t seconds, char dst[32]);

/* What an operator should know first, a sentence each, through `each`; a negative result stops and
 * is returned. */
int picture_problems(const struct picture *p, int (*each)(void *user, const char *text),
		     void *user) MUST_CHECK;

/* -ENOMEM. */
int picture_json(const struct picture *p, struct buf *out) MUST_CHECK;
int picture_text(const struct picture *p, struct buf *out) MUST_CHECK;

#endif
