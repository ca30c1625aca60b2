/* Is there a syslog daemon that writes what is logged to files? Then the journal has nothing that
 * is not in them. */
#ifndef HAUL_AGENT_SYSLOGD_H
#define HAUL_AGENT_SYSLOGD_H

#include "common/buf.h"

/* 1, and who does so, into which file, is appended to `out`; 0: nobody. Errors: -ENOMEM. */
int syslogd_find(struct buf *out) MUST_CHECK;

#endif
