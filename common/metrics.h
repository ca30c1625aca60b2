/* The Prometheus text exposition format, version 0.0.4: a page of metrics appended to a buffer. The
 * program's locale is C (nobody calls setlocale): numbers have a point. On error (buf.h) the buffer
 * is as it was. */
#ifndef HAUL_COMMON_METRICS_H
#define HAUL_COMMON_METRICS_H

#include "common/buf.h"

#include <stdint.h>

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE };

/* # HELP and # TYPE; once before the samples of a name. */
int metrics_head(struct buf *out, const char *name, enum metric_type type,
		 const char *help) MUST_CHECK;

/* One sample. `label` NULL: none. Any bytes may stand in `value`: what is not UTF-8 is shown as
 * \xNN. */
int metrics_u64(struct buf *out, const char *name, const char *label, struct span value,
		uint64_t v) MUST_CHECK;
int metrics_double(struct buf *out, const char *name, const char *label, struct span value,
		   double v) MUST_CHECK;

#endif
