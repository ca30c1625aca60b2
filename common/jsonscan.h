/* Finds one value in a JSON object at a speed that allows it for every line. */
#ifndef HAUL_COMMON_JSONSCAN_H
#define HAUL_COMMON_JSONSCAN_H

#include "common/buf.h"
#include "common/span.h"

enum json_kind { JSONSCAN_STRING, JSONSCAN_NUMBER, JSONSCAN_WORD, JSONSCAN_NESTED };

struct json_found {
	enum json_kind kind;
	/* a string decoded; a number, true, false or null as written; nested: its text */
	struct span text;
};

/* `path` is a key, or keys parted by dots; a key that holds dots itself ("log.level") is found too,
 * and a number is an index into an array. The first that fits wins. What is cut short behind the
 * value does no harm: the piece of a long line still has its fields. 1 found, 0 not, -ENOMEM. The
 * text points into `text` or into `scratch`. */
int jsonscan_find(struct span text, struct span path, struct buf *scratch,
		  struct json_found *ret) MUST_CHECK;

/* The members of the outermost object, one after another: *at is 0 to begin. Values as in
 * jsonscan_find but strings as written, between their quotes, as is the key. 1, 0 at the end or
 * where the text is no JSON any more. */
int jsonscan_member(struct span text, size_t *at, struct span *ret_key,
		    struct json_found *ret_value);

/* A string as written between its quotes, decoded; in `scratch` if need be. What is not well-formed
 * stays as it is. -ENOMEM. */
int jsonscan_decode(struct span raw, struct buf *scratch, struct span *ret) MUST_CHECK;

/* Is the whole text one well-formed JSON object? */
bool jsonscan_valid_object(struct span text);

#endif
