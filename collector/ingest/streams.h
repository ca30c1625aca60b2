/* GET /v1/streams?host=H&after=ID&limit=N: what the collector has of a host's streams, a JSON
 * object a line, unfinished ones first. How an agent without a registry finds its place. */
#ifndef HAUL_COLLECTOR_INGEST_STREAMS_H
#define HAUL_COLLECTOR_INGEST_STREAMS_H

#include "collector/ingest/route.h"

#define STREAMS_LIMIT 1000 /* rows an answer, if not asked for less */

extern const struct route streams_route;

#endif
