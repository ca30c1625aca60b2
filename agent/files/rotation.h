/* The names that rotation makes: NAME.1, NAME-20261122, NAME.2.gz, and which name they were made
 * of. Pure functions on the last component of a path. */
#ifndef HAUL_AGENT_ROTATION_H
#define HAUL_AGENT_ROTATION_H

#include "common/span.h"

#include <stdint.h>

/* The name without, again and again, .gz, .N and date suffixes, then without one of .log .out .err
 * .txt .json: {stem} of the service template. Never empty unless the name is. */
struct span rotation_stem(struct span name);

/* Is `name` that of a rotated version of `original`? The original's name and a rotation suffix or
 * more (NAME.1, NAME-20261122.gz, NAME.old), or with them before its extension (app-20261122.log of
 * app.log). */
bool rotation_of(struct span name, struct span original);

/* Has the name a rotation suffix at its end? */
bool rotation_suffixed(struct span name);

/* Has it a rotation suffix at its end or before its extension? */
bool rotation_rotated(struct span name);

/* The names that it may be a rotated version of, from the longest on: the `step`-th into dst;
 * false: no further one. */
bool rotation_original(struct span name, int step, char *dst, size_t size);

/* The same for all rotated versions of a name, whichever way they are named: a hash. */
uint64_t rotation_family(struct span name);

/* The last component of a path, and what is before its slash ("/" for the root's own entries). */
struct span path_name(const char *path);
struct span path_dir(const char *path);

#endif
