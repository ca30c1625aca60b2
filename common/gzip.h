/* gzip for batches, by ISA-L. Standard gzip: any tool reads what is written, and members that any
 * tool wrote are read. One member only: bytes behind it are an error, not ignored.
 *
 * An encoder or decoder belongs to one thread at a time and may be used again and again. */
#ifndef HAUL_COMMON_GZIP_H
#define HAUL_COMMON_GZIP_H

#include "common/buf.h"
#include "common/span.h"

struct gzip_encoder;

/* Errors: NULL when memory is short. */
struct gzip_encoder *gzip_encoder_new(void);
void gzip_encoder_free(struct gzip_encoder *e);

/* Begins a member; output is appended to `out`, which outlives the member. */
void gzip_encoder_start(struct gzip_encoder *e, struct buf *out);
/* Compresses on, in pieces of any size; the bytes are not needed after the call. Output may lag
 * some ten KiB behind. Errors: -ENOMEM, -EMSGSIZE; the member is then lost, and every further call
 * says so until the next start. What stands in `out` is for the caller to clear. */
int gzip_encoder_add(struct gzip_encoder *e, struct span bytes) MUST_CHECK;
/* Ends the member with its trailer. */
int gzip_encoder_finish(struct gzip_encoder *e) MUST_CHECK;

struct gzip_limits {
	size_t inflated_max; /* bytes */
	unsigned ratio_max;  /* inflated / compressed; 0: none. Checked beyond the first 64
			       KiB. */
};

/* Inflates a whole body, appended to `out` (as it was on error). Errors: -EBADMSG damaged, cut
 * short or followed by more bytes; -EMSGSIZE larger than the limits (found while inflating, before
 * the memory is taken); -ENOMEM. */
int gzip_inflate(struct span body, struct gzip_limits limits, struct buf *out) MUST_CHECK;

#endif
