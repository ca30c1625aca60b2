/* `haul grep`. */
#ifndef HAUL_COLLECTOR_QUERY_GREP_H
#define HAUL_COLLECTOR_QUERY_GREP_H

#include "collector/query/options.h"

#include <stdatomic.h>

/* Returns the exit code. */
int grep_run(const struct options *options, const atomic_bool *stop);

#endif
