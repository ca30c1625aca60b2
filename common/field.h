/* A field of a line, by the name that people give it: a column, or a value inside the message. */
#ifndef HAUL_COMMON_FIELD_H
#define HAUL_COMMON_FIELD_H

#include "common/buf.h"
#include "common/jsonscan.h"
#include "common/span.h"

enum field_kind {
	FIELD_MESSAGE, /* in a JSON message, or a key=value pair of a text */
	FIELD_HOST,
	FIELD_SERVICE,
	FIELD_INSTANCE,
};

struct field {
	enum field_kind kind;
	struct span name; /* as given; not owned */
	struct span path; /* in the message */
};

/* What a thread needs to look; zero it to begin. */
struct field_scratch {
	struct buf value;
	struct buf message; /* of an escaped line, its original */
};

/* host, service and instance are the columns; a dot before a name (".host") makes it the message's.
 * `name` stays the caller's and outlives the field. -EINVAL: empty. */
int field_init(struct field *f, struct span name) MUST_CHECK;

/* The last part of a message's field name: it stands in every line that has the field. Empty for
 * columns. */
struct span field_literal(const struct field *f);

/* 1 and the value, 0 when the line does not have it, -ENOMEM. The text is valid until the next call
 * with this scratch, and as long as the line. */
int field_get(const struct field *f, struct span line, struct field_scratch *s,
	      struct json_found *ret) MUST_CHECK;

/* The message as it was before escaping, in the line or in the scratch. -ENOMEM. */
int field_message(struct span line, struct field_scratch *s, struct span *ret) MUST_CHECK;

void field_scratch_free(struct field_scratch *s);

#endif
