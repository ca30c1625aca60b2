/* `haul top`. */
#ifndef HAUL_COLLECTOR_QUERY_TOP_H
#define HAUL_COLLECTOR_QUERY_TOP_H

#include "collector/query/options.h"

#include <stdatomic.h>

/* Returns the exit code. */
int top_run(const struct options *options, const atomic_bool *stop);

#endif
