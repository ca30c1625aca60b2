/* Reading behind the cursor: see reread.h. The envelope does it after a restart or a rewind, for
 * the pieces of a line that is not whole. Nothing is compared: follow holds the bytes at the cursor
 * against what is remembered before new ones are taken. */
#include "agent/lines/reread.h"

#include "agent/files/descriptor.h"
#include "agent/files/follow.h"

#include <errno.h>

enum { STEP = 64 * 1024 };

struct lines {
	struct buf bytes; /* from `at` on: a line that is not whole */
	uint64_t at;
	bool too_long; /* its begin was thrown away */
};

static int take_lines(struct lines *l, bool all,
		      int (*each)(void *user, struct span line, uint64_t at), void *user)
{
	struct span in = buf_span(&l->bytes);
	while (in.len) {
		size_t n = span_find(in, '\n'), covered = n < in.len ? n + 1 : n;
		if (n == in.len && !all)
			break;
		int r = l->too_long ? 0 : each(user, span_first(in, n), l->at);
		if (r < 0)
			return r;
		l->too_long = false;
		l->at += covered;
		in = span_from(in, covered);
	}
	if (in.len > REREAD_LINE_MAX) {
		l->too_long = true;
		l->at += in.len;
		in.len = 0;
	}
	buf_consume(&l->bytes, l->bytes.len - in.len);
	return 0;
}

int reread_lines(struct source_table *t, struct source *s, uint64_t from, uint64_t to,
		 int (*each)(void *user, struct span line, uint64_t at), void *user)
{
	struct lines l = {.at = from};
	int r = s->cut ? -ENODATA : descriptor_open(t, s);
	while (r == 0 && from < to) {
		size_t want = to - from < STEP ? (size_t)(to - from) : STEP;
		r = buf_reserve(&l.bytes, want);
		if (r < 0)
			break;
		ssize_t got = follow_peek(s, from, l.bytes.ptr + l.bytes.len, want);
		if (got <= 0) {
			r = got < 0 && got != -EBADF ? (int)got : -ENODATA;
			break;
		}
		l.bytes.len += (size_t)got;
		from += (uint64_t)got;
		r = take_lines(&l, from == to, each, user);
	}
	buf_free(&l.bytes);
	return r;
}
