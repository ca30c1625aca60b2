/* GET /healthz: the process answers. GET /readyz: batches are taken, of all streams; else 503 and
 * why not. For everyone: probes and load balancers have no tokens. */
#ifndef HAUL_COLLECTOR_INGEST_HEALTH_H
#define HAUL_COLLECTOR_INGEST_HEALTH_H

#include "collector/ingest/route.h"

#include <stdbool.h>
#include <stddef.h>

struct intake;

extern const struct route health_route;
extern const struct route ready_route;

enum health {
	HEALTH_READY,   /* batches are taken */
	HEALTH_BLOCKED, /* but not the lines of some streams, for their place cannot be written */
	HEALTH_SHUT,    /* none are */
};

/* And why it is not ready, in a line. */
enum health health_look(struct intake *intake, char *ret_reason, size_t size);

/* Who was told 507 comes again after so many seconds. */
#define DISK_RETRY_S 10

#endif
