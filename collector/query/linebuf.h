/* Bytes that come in any portions, given out as whole lines. */
#ifndef HAUL_COLLECTOR_QUERY_LINEBUF_H
#define HAUL_COLLECTOR_QUERY_LINEBUF_H

#include "common/buf.h"
#include "common/span.h"

/* So much of a frame or a member is held back until its checksum tells that it is whole, so that of
 * a damaged one no line comes. What haul seals is smaller; of a larger one lines come before its
 * end. */
enum { LINEBUF_HELD_MAX = 4 * 1024 * 1024 };

/* Zero it to begin. */
struct linebuf {
	struct buf bytes;
	size_t given; /* how many at the front the caller has had */
};

/* Forgets what was given out, and makes room for `more` bytes behind the rest. Errors: -ENOMEM. */
int linebuf_room(struct linebuf *b, size_t more) MUST_CHECK;

/* `len` bytes were written at linebuf_end. */
char *linebuf_end(struct linebuf *b);
void linebuf_filled(struct linebuf *b, size_t len);

/* All whole lines; at the end of the file (`end`) the last one gets the LF that it lacks. False:
 * none. The span is valid until the next linebuf_room. */
bool linebuf_take(struct linebuf *b, bool end, struct span *ret);

/* How many bytes wait that were not given out, and are no whole line yet. */
size_t linebuf_waiting(const struct linebuf *b);

void linebuf_reset(struct linebuf *b);
void linebuf_free(struct linebuf *b);

#endif
