/* What the program asks of the system for its process. */
#ifndef HAUL_COLLECTOR_PROCESS_H
#define HAUL_COLLECTOR_PROCESS_H

#include "common/buf.h"

#include <stdint.h>

/* Blocks SIGTERM, SIGINT and SIGHUP in this thread and all that it starts, and gives a descriptor
 * from which they are read (struct signalfd_siginfo). Ignores SIGPIPE. Errors: -errno. */
int process_take_signals(int *ret_fd) MUST_CHECK;

/* Cores that the process may run on, 1 or more. */
unsigned process_cores(void);

/* Takes as many descriptors as the hard limit allows and says how many; UINT64_MAX: no limit. */
uint64_t process_raise_files(void);

#endif
