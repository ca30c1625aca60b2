/* `haul count`. */
#ifndef HAUL_COLLECTOR_QUERY_COUNT_H
#define HAUL_COLLECTOR_QUERY_COUNT_H

#include "collector/query/options.h"

#include <stdatomic.h>

/* Returns the exit code. */
int count_run(const struct options *options, const atomic_bool *stop);

#endif
