/* Which file a container's lines go on in after a rotation. */
#ifndef HAUL_AGENT_HEIR_H
#define HAUL_AGENT_HEIR_H

#include "agent/files/source.h"

/* The source whose file was written directly before or behind that of `s`: of the same input type, in the
 * same directory, and of the same name but for rotation suffixes. NULL: there is none that is known. */
struct source *heir_before(const struct source_table *t, const struct source *s);
struct source *heir_behind(const struct source_table *t, const struct source *s);

/* Is it being found out what it is, or where its bytes are? */
bool heir_is_unsure(const struct source *s);
/* What the source is, or where its bytes are, has been found out: who waits for that gets a turn. */
void heir_wake(struct source_table *t, const struct source *s);

#endif
