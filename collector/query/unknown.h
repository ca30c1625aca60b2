/* Nothing was found: is it because a condition names a field that no line has? */
#ifndef HAUL_COLLECTOR_QUERY_UNKNOWN_H
#define HAUL_COLLECTOR_QUERY_UNKNOWN_H

#include "collector/query/hits.h"

/* -EINVAL, told with the names of fields that there are, when a field stands in none of the lines
 * of the question's time, services and hosts; 0 when all fields are known, or when that would take
 * too long to tell (UNKNOWN_BYTES of files). Other errors are told too. */
int unknown_fields(struct search *search, const struct hits *hits) MUST_CHECK;

/* No line has the field, which `option` asks for: told, with the names that there are. -EINVAL;
 * other errors are told too. */
int unknown_field(struct search *search, const char *option, struct span field) MUST_CHECK;

#define UNKNOWN_BYTES (UINT64_C(256) << 20)

#endif
