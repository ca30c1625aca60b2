/* GET /metrics: what the collector counts, as Prometheus text. haul-collector(8) lists the
 * names. */
#ifndef HAUL_COLLECTOR_INGEST_PAGE_H
#define HAUL_COLLECTOR_INGEST_PAGE_H

#include "collector/ingest/route.h"

extern const struct route page_route;

#endif
