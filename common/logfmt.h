/* key=value pairs in a text: logfmt, or a message with some among its words. */
#ifndef HAUL_COMMON_LOGFMT_H
#define HAUL_COMMON_LOGFMT_H

#include "common/buf.h"
#include "common/span.h"

/* The next pair at or after *at. The value is as written: with quotes when it has them. */
bool logfmt_next(struct span text, size_t *at, struct span *ret_key, struct span *ret_value);

/* The value of the first pair with that key, unquoted; in `scratch` when it had escapes. 1 found, 0
 * not, -ENOMEM. */
int logfmt_find(struct span text, struct span key, struct buf *scratch,
		struct span *ret) MUST_CHECK;

/* A value without its quotes and escapes. -ENOMEM. */
int logfmt_unquote(struct span value, struct buf *scratch, struct span *ret) MUST_CHECK;

#endif
