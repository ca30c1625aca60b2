/* `haul patterns`. */
#ifndef HAUL_COLLECTOR_QUERY_PATTERNS_H
#define HAUL_COLLECTOR_QUERY_PATTERNS_H

#include "collector/query/options.h"

#include <stdatomic.h>

/* Returns the exit code. */
int patterns_run(const struct options *options, const atomic_bool *stop);

#endif
