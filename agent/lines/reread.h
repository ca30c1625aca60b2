/* Physical lines that a source's cursor has passed already, once more. */
#ifndef HAUL_AGENT_REREAD_H
#define HAUL_AGENT_REREAD_H

#include "agent/files/source.h"

#define REREAD_LINE_MAX (1024 * 1024) /* a longer line is passed over */

/* Calls `each` for every physical line of the source's bytes [from, to), without its LF; the last
 * one may have none. A negative result stops and is returned. Errors: -ENODATA, the file does not
 * have these bytes (any more); -ENOMEM and -errno of opening and reading: it may go well later, as
 * when a copy of the file is found. */
int reread_lines(struct source_table *t, struct source *s, uint64_t from, uint64_t to,
		 int (*each)(void *user, struct span line, uint64_t at), void *user) MUST_CHECK;

#endif
