/* A flat JSON object read into a struct by a table of its fields: what chunk headers, verdicts and
 * rows of streams have in common. Unknown keys are ignored; a repeated key, known or not, a missing
 * required one and a value of the wrong form are errors that say which. Pure, thread-safe. */
#ifndef HAUL_COMMON_JSON_RECORD_H
#define HAUL_COMMON_JSON_RECORD_H

#include "common/buf.h"
#include "common/span.h"

#include <stdint.h>

enum json_field_form {
	JSON_FIELD_TEXT,        /* struct span: a string of at most `max` bytes */
	JSON_FIELD_NO_NUL,      /* the same, without NUL */
	JSON_FIELD_STREAM,      /* struct stream_id: a string of 32 hex digits */
	JSON_FIELD_HEX64,       /* uint64_t: a string of 16 hex digits */
	JSON_FIELD_NUMBER,      /* uint64_t: a whole number */
	JSON_FIELD_NUMBER_TEXT, /* uint64_t: one in a string, for values beyond 2^53 */
	JSON_FIELD_SIGNED_TEXT, /* int64_t: the same with a sign */
	JSON_FIELD_BOOL,
};

struct json_field {
	const char *key;
	enum json_field_form form;
	bool required;
	size_t offset; /* in the struct */
	size_t max;    /* bytes of a text */
};

#define JSON_RECORD_FIELDS_MAX 64   /* of a table */
#define JSON_RECORD_KEYS_MAX   1640 /* of an object: what 8 KiB can hold */

/* Reads `text` into the struct at `ret`, whose other fields stay as they are; bit i of *ret_seen
 * tells that the i-th field was there. Replaces what stands in `scratch`; texts lie in it or in
 * `text`. Errors: -EBADMSG with *ret_why set to a text in `scratch`, and some fields of `ret`
 * overwritten; -ENOMEM, -EMSGSIZE (scratch). */
int json_record_read(struct span text, const struct json_field *fields, size_t n_fields, void *ret,
		     uint64_t *ret_seen, struct buf *scratch, const char **ret_why) MUST_CHECK;

#endif
