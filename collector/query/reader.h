/* Reads a piece of a segment, whatever its form, as windows of whole lines. A reader belongs to one
 * thread and is used for many pieces. */
#ifndef HAUL_COLLECTOR_QUERY_READER_H
#define HAUL_COLLECTOR_QUERY_READER_H

#include "collector/query/finder.h"
#include "collector/query/listing.h"
#include "collector/query/place.h"
#include "collector/query/trouble.h"
#include "common/buf.h"

struct reader;

/* NULL when memory is short. */
struct reader *reader_new(void);
void reader_free(struct reader *r);

/* `fd` stays the caller's and open while the piece is read. `size` is the segment's: what a live
 * file has gained since belongs to a later question. Errors: -ENOMEM. */
int reader_start(struct reader *r, enum segment_form form, int fd, uint64_t size,
		 struct piece piece) MUST_CHECK;

/* Between windows: lines in which none of the strings stands need not be given. Many of them then
 * are not. */
void reader_pass(struct reader *r, const struct finder *strings);

/* 1 and the next window, valid until the next call; 0 at the end of the piece. Errors: -EBADMSG
 * damaged, with reader_error; the next call goes on with the next frame or member that is whole. No
 * line of a damaged one is given, unless it has more than LINEBUF_HELD_MAX of them. -errno of
 * reading; -ENOMEM. */
int reader_next(struct reader *r, struct window *ret) MUST_CHECK;

/* What the last call of reader_next found damaged, and at which byte of the file; NULL: nothing. */
const char *reader_error(const struct reader *r, uint64_t *ret_at);

/* Tells an error of reader_next or of opening the file. */
void reader_tell(const struct reader *r, struct trouble *trouble, const char *path, int error);

#endif
