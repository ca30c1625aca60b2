/* When will the disk be full? Free bytes are noted each minute, and a straight line is laid through
 * the last day of them: sealing and retention come and go within a day, what is left is how the
 * archive grows. Thread-safe. */
#ifndef HAUL_COLLECTOR_INGEST_FORECAST_H
#define HAUL_COLLECTOR_INGEST_FORECAST_H

#include "common/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define FORECAST_NEVER INT64_MAX

struct forecast;

int forecast_new(struct forecast **ret) MUST_CHECK; /* -ENOMEM */
void forecast_free(struct forecast *f);

/* Is the last sample a minute old? */
bool forecast_due(struct forecast *f, int64_t mono_ns);
/* Takes a sample when it is due. */
void forecast_note(struct forecast *f, int64_t mono_ns, uint64_t free_bytes);

/* Seconds until no more than `reserve_bytes` are free, as it goes; FORECAST_NEVER when it does not
 * fill, takes more than ten years, or too little is known (ten minutes). `ret_rate`: bytes a second
 * that the disk fills by, negative when it gets emptier; 0 when too little is known. */
int64_t forecast_full_s(struct forecast *f, uint64_t free_bytes, uint64_t reserve_bytes,
			double *ret_rate);

#endif
