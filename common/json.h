/* JSON for haul's own small needs: a reader of flat objects and arrays (by yajl) and a writer of
 * strings.
 *
 * Reader: values are strings, numbers, booleans or null; nested ones are skipped whole and given as
 * written, to be read on their own. Strings are decoded (escapes, surrogate pairs; half a pair is
 * U+FFFD). What is read is strict JSON (RFC 8259) in well-formed UTF-8. */
#ifndef HAUL_COMMON_JSON_H
#define HAUL_COMMON_JSON_H

#include "common/buf.h"
#include "common/span.h"

#define JSON_DEPTH_MAX 64
#define JSON_TEXT_MAX  ((size_t)64 << 20)

enum json_type { JSON_STRING, JSON_NUMBER, JSON_BOOL, JSON_NULL, JSON_NESTED };

struct json_value {
	enum json_type type;
	struct span text; /* string: decoded; all others: as written */
};

/* Calls `each` for every key of the outermost object, in order, also for one that is repeated; a
 * negative result stops and is returned. Spans are valid during the call only; numbers, nested
 * values and strings without escapes lie in `text`. Errors: -EBADMSG when the text is not one JSON
 * object (white space around it is fine), is nested deeper than JSON_DEPTH_MAX or longer than
 * JSON_TEXT_MAX; -ENOMEM. Errors in the text may show after some calls. */
int json_read_object(struct span text,
		     int (*each)(void *user, struct span key, struct json_value v),
		     void *user) MUST_CHECK;

/* The same for the values of an array; `key` is empty. */
int json_read_array(struct span text, int (*each)(void *user, struct span key, struct json_value v),
		    void *user) MUST_CHECK;

/* Appends "..." with what JSON demands escaped. Bytes that are not UTF-8 are written \xNN with the
 * backslash itself escaped, so that the text stays readable and valid. Errors: -ENOMEM,
 * -EMSGSIZE. */
int json_add_string(struct buf *out, struct span s) MUST_CHECK;

/* How many bytes of `s` json_add_string writes in at most `room` bytes, quotes not counted, cut
 * only between characters. */
size_t json_fit_string(struct span s, size_t room);

#endif
