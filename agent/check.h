/* `haul-agent check`: what a configuration means on this machine, and what would go wrong with it. */
#ifndef HAUL_AGENT_CHECK_H
#define HAUL_AGENT_CHECK_H

#include "agent/setup.h"

/* Prints the configuration and what would be followed; quiet: only says what is wrong. Beside what
 * reading has found that is the files that it names. Returns the exit code: 0, 1, or 78. */
int check_run(const struct setup *s, bool quiet);

#endif
