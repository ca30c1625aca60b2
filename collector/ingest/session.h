/* POST /v1/session: an agent's new start. From its answer on, batches of older sessions of that
 * host are refused. */
#ifndef HAUL_COLLECTOR_INGEST_SESSION_H
#define HAUL_COLLECTOR_INGEST_SESSION_H

#include "collector/ingest/route.h"

#define SESSION_BODY_MAX    4096
#define SESSION_MACHINE_MAX 128

extern const struct route session_route;

#endif
