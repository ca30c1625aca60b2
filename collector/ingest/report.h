/* What an agent says of itself with a request (common/report.h), given to the store. */
#ifndef HAUL_COLLECTOR_INGEST_REPORT_H
#define HAUL_COLLECTOR_INGEST_REPORT_H

#include "collector/ingest/request.h"
#include "collector/store/store.h"

/* Inside the door, for a request that may speak for `host`. No report, or one that cannot be read,
 * changes nothing: it is never a reason to turn lines away. */
void report_take(struct request *r, struct store *s, struct span host, uint64_t session);

#endif
