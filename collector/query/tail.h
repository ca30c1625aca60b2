/* `haul tail`. */
#ifndef HAUL_COLLECTOR_QUERY_TAIL_H
#define HAUL_COLLECTOR_QUERY_TAIL_H

#include "collector/query/options.h"

#include <stdatomic.h>

/* Runs until SIGINT, until nobody reads its output any more, or -m lines. Returns the exit code. */
int tail_run(const struct options *options, const atomic_bool *stop);

#endif
