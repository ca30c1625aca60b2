/* The collector as it runs: store, server and signals, wired together. */
#ifndef HAUL_COLLECTOR_COLLECTOR_H
#define HAUL_COLLECTOR_COLLECTOR_H

#include "collector/options.h"

#include <stdbool.h>

/* Runs until SIGTERM or SIGINT; takes `options` over (it may be replaced at a reload). `path` and
 * `optional` are those of options_read, for reloads. Returns the exit code: 0, 1 failed, 78 wrong
 * configuration. Main thread, once. */
int collector_run(struct options *options, const char *path, bool optional);

#endif
