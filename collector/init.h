/* haul-collector init: TLS for those who have no certificate. */
#ifndef HAUL_COLLECTOR_INIT_H
#define HAUL_COLLECTOR_INIT_H

#include "collector/commands.h"

/* Makes a private authority and the collector's certificate for the names in args->words (without
 * any, this machine's) and writes the part of the configuration that names them. With args->renew,
 * a new certificate of the same authority for the same key. Says what happened; returns the exit
 * code. */
int init_run(const struct commands_args *args);

#endif
