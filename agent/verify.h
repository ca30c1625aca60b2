/* haul-agent verify PATH: which bytes of a file has the collector? */
#ifndef HAUL_AGENT_VERIFY_H
#define HAUL_AGENT_VERIFY_H

#include "agent/setup.h"

/* Prints the answer. The exit code: 0 all of them, 1 not all, 2 that cannot be told (said why). */
int verify_run(const struct setup *s, const char *path);

#endif
