/* GET /v1/status: what `haul-collector status` shows; JSON, or with ?format=text the table that
 * people read. */
#ifndef HAUL_COLLECTOR_INGEST_STATUS_H
#define HAUL_COLLECTOR_INGEST_STATUS_H

#include "collector/ingest/route.h"

extern const struct route status_route;

#endif
