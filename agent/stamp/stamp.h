/* Finds the timestamp of a line. Every common form is known (stamp_forms.c has the table); what
 * worked for the last line of a source is tried first, so that the usual cost is one parse at one
 * place. For JSON a scanner looks for the key at memory speed and yajl decides where the scanner is
 * unsure.
 *
 * struct stamp is immutable after stamp_new and shared by all sources of an input; struct
 * stamp_memory belongs to one source. */
#ifndef HAUL_AGENT_STAMP_H
#define HAUL_AGENT_STAMP_H

#include "agent/stamp/zone.h"
#include "common/buf.h"
#include "common/span.h"

#include <stdint.h>

struct stamp;

/* What a source remembers from line to line. Zero it to begin. Plain data: may be copied, and lost
 * without harm (it is found again). */
struct stamp_memory {
	/* What matched last: 1 + a form, or beyond all forms a JSON key; 0: none yet. */
	uint8_t format;
	uint8_t misses; /* lines since, in a row, that had no timestamp */
	uint8_t words;  /* plain words before it: no text is searched for a date */
	bool bracket;   /* it stood behind the line's first [, wherever that was */
	bool from_end;  /* of a JSON key: `at` counts from the line's end */
	uint16_t at;    /* where in the line it stood */
};

/* `spec` is the value of the option `timestamp` (auto | none | json:KEY | strptime:FORMAT),
 * `timezone` that of `timezone` (local, UTC, an offset as +02:00, or a name of the tz database).
 * Errors: -EINVAL with *ret_why a static text; -ENOMEM. */
int stamp_new(const char *spec, const char *timezone, struct stamp **ret,
	      const char **ret_why) MUST_CHECK;
void stamp_free(struct stamp *s);

/* 1 and *ret_us when the line has a time that makes sense (years 1970 to 9999 by the calendar); 0
 * when it has none. `now_us` settles what a form leaves open: the year of "Nov 22 05:40:00" is the
 * one that puts it nearest before now + 1 day. Digits beyond microseconds are cut off; second 60 is
 * 59.999999. Never fails: a line that is odd has no timestamp. */
int stamp_find(const struct stamp *s, struct stamp_memory *memory, struct span line, int64_t now_us,
	       int64_t *ret_us);

#endif
