/* `haul ls`. */
#ifndef HAUL_COLLECTOR_QUERY_LS_H
#define HAUL_COLLECTOR_QUERY_LS_H

#include "collector/query/options.h"

#include <stdatomic.h>

/* Returns the exit code. */
int ls_run(const struct options *options, const atomic_bool *stop);

#endif
