/* Names of fields that there are, for who asked for one that there is not. */
#ifndef HAUL_COLLECTOR_QUERY_NAMES_H
#define HAUL_COLLECTOR_QUERY_NAMES_H

#include "common/span.h"

#define NAMES_MAX 12
#define NAMES_LEN 40 /* bytes of one; longer ones are passed over */

/* Zero it to begin. */
struct field_names {
	char text[NAMES_MAX][NAMES_LEN + 1];
	size_t n;
};

/* Takes the names in the first JSON message among the lines, or its first key=value pairs. */
void field_names_note(struct field_names *names, struct span lines);

/* "OPTION: no line has a field 'FIELD'; there are ...": told. */
void field_names_tell(const struct field_names *names, const char *option, struct span field);

#endif
