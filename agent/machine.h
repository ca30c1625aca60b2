/* Which machine this is: tells it from a clone that claims the same host name. The machine id is confidential (see
 * machine-id(5)): only a hash of it leaves the host. */
#ifndef HAUL_AGENT_MACHINE_H
#define HAUL_AGENT_MACHINE_H

#define MACHINE_LEN 32 /* hex digits */

/* Of /etc/machine-id, or where there is none of `other` (something this agent alone has); "" when that is empty too. */
void machine_find(const char *other, char ret[MACHINE_LEN + 1]);

#endif
