/* `haul verify`: is everything here? */
#ifndef HAUL_COLLECTOR_QUERY_VERIFY_H
#define HAUL_COLLECTOR_QUERY_VERIFY_H

#include "collector/query/options.h"

#include <stdatomic.h>

/* The exit code: 0 complete, 1 gaps or losses, 2 trouble. */
int verify_run(const struct options *o, const atomic_bool *stop);

#endif
