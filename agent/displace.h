/* Makes way in the configuration for the collector that is joined. */
#ifndef HAUL_AGENT_DISPLACE_H
#define HAUL_AGENT_DISPLACE_H

#include "common/buf.h"

#include <limits.h>

/* What says which collector it is, in `file` and the *.conf of `dir` but the one named `own`,
 * becomes comments; each file is replaced whole and keeps mode and owner, and each is told. -errno,
 * with the path that could not be written; those before it have changed then. */
int displace_collector(const char *file, const char *dir, const char *own,
		       char ret_path[PATH_MAX]) MUST_CHECK;

#endif
