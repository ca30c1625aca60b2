/* POST /v1/batches: from a gzip body to verdicts.
 *
 *     header checks -> memory -> inflate -> cut and check -> whose -> admit -> render -> submit
 *     -> answer */
#ifndef HAUL_COLLECTOR_INGEST_BATCHES_H
#define HAUL_COLLECTOR_INGEST_BATCHES_H

#include "collector/ingest/route.h"

#define BATCHES_INFLATED_MAX (128u << 20) /* bytes of an inflated body */
#define BATCHES_RATIO_MAX    200          /* inflated / compressed, beyond BATCHES_RATIO_FREE */
/* So much may come of any body: a service that says the same thing over and over compresses better
 * than a bomb. */
#define BATCHES_RATIO_FREE (4u << 20)

extern const struct route batches_route;

#endif
