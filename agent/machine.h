/* Which machine this is: tells it from a clone that claims the same host name. The machine id is
 * confidential (see machine-id(5)): only a hash of it leaves the host. */
#ifndef HAUL_AGENT_MACHINE_H
#define HAUL_AGENT_MACHINE_H

#include "common/buf.h"

#define MACHINE_LEN 32 /* hex digits */

/* Of /etc/machine-id, or where there is none of `other` (something this agent alone has); "" when
 * that is empty too. -errno: there is one, and it cannot be read just now; `other` would make this
 * another machine, which is kept out. */
int machine_find(const char *other, char ret[MACHINE_LEN + 1]) MUST_CHECK;

#endif
