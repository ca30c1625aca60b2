/* JSON for haul's own small needs: a reader of flat objects (by yajl) and a writer of
 * strings.
 *
 * Reader: an object whose values are strings, numbers, booleans or null; nested values
 * are skipped whole. Strings are decoded (escapes, surrogate pairs) into `scratch`. */
#ifndef HAUL_COMMON_JSON_H
#define HAUL_COMMON_JSON_H

#include "common/buf.h"
#include "common/span.h"

enum json_type { JSON_STRING, JSON_NUMBER, JSON_BOOL, JSON_NULL, JSON_NESTED };

struct json_value {
	enum json_type type;
	struct span text; /* string: decoded; number: as written; bool: "true"/"false";
			     nested: empty */
};

/* Calls `each` for every key of the outermost object, in order; a negative result stops
 * and is returned. Spans are valid during the call only. Depth is limited to 64. Errors:
 * -EBADMSG when the text is not one JSON object (white space around it is fine), -ENOMEM.
 */
int json_read_object(struct span text,
		     int (*each)(void *user, struct span key, struct json_value v),
		     void *user) MUST_CHECK;

/* Appends "..." with what JSON demands escaped. Bytes that are not UTF-8 are written \xNN
 * with the backslash itself escaped, so that the text stays readable and valid. */
int json_add_string(struct buf *out, struct span s) MUST_CHECK;

#endif
