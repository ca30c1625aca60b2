/* `haul trace`. */
#ifndef HAUL_COLLECTOR_QUERY_TRACE_H
#define HAUL_COLLECTOR_QUERY_TRACE_H

#include "collector/query/options.h"

#include <stdatomic.h>

/* Returns the exit code. */
int trace_run(const struct options *options, const atomic_bool *stop);

#endif
