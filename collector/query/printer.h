/* Puts lines on stdout: as they are stored, as JSON, or their messages alone. */
#ifndef HAUL_COLLECTOR_QUERY_PRINTER_H
#define HAUL_COLLECTOR_QUERY_PRINTER_H

#include "collector/query/matcher.h"
#include "collector/query/options.h"
#include "collector/query/record.h"
#include "common/buf.h"
#include "common/field.h"

struct printer {
	enum output output;
	bool terminal; /* stdout is one: nothing harmful goes there */
	bool colour;
	bool grouped;                    /* `--` between groups */
	bool any;                        /* something was printed */
	const char *message_style;       /* of the next lines' messages, in colour; NULL: none */
	struct matcher_scratch *matcher; /* marks matches; NULL: none */
	struct buf out;
	struct field_scratch scratch;
};

/* `matcher` may be NULL and outlives the printer. Errors: -ENOMEM. */
int printer_init(struct printer *p, const struct options *o,
		 const struct matcher *matcher) MUST_CHECK;

/* Errors of all these: -EPIPE nobody reads any more, which is no trouble; -errno of writing;
 * -ENOMEM. */
int printer_record(struct printer *p, const struct record *r) MUST_CHECK;
int printer_line(struct printer *p, struct span line) MUST_CHECK;
/* Text of the program's own, with its LF. */
int printer_text(struct printer *p, const char *fmt, ...) MUST_CHECK
	__attribute__((format(printf, 2, 3)));
/* Writes what is waiting. */
int printer_flush(struct printer *p) MUST_CHECK;
void printer_free(struct printer *p);

/* Is colour wanted on a descriptor? NO_COLOR in the environment counts for auto. */
bool printer_wants_colour(enum colour colour, int fd);

#endif
