/* Whole lines out of a stream of bytes: see linebuf.h. Used by the readers of plain files and of
 * streams that are inflated piecemeal. One copy of the beginning of a cut line a window; no other.
 * A line that is longer than the buffer makes it grow. Fails for memory only. */
#include "collector/query/linebuf.h"

int linebuf_room(struct linebuf *b, size_t more)
{
	buf_consume(&b->bytes, b->given);
	b->given = 0;
	return buf_reserve(&b->bytes, more + 1); /* and an LF */
}

char *linebuf_end(struct linebuf *b)
{
	return b->bytes.ptr + b->bytes.len;
}

void linebuf_filled(struct linebuf *b, size_t len)
{
	b->bytes.len += len;
}

bool linebuf_take(struct linebuf *b, bool end, struct span *ret)
{
	if (linebuf_waiting(b) == 0)
		return false;
	struct span rest = span_from(buf_span(&b->bytes), b->given);
	const char *last = memrchr(rest.ptr, '\n', rest.len);
	if (end && (!last || last + 1 < rest.ptr + rest.len)) {
		/* linebuf_room left a byte for it */
		b->bytes.ptr[b->bytes.len++] = '\n';
		last = rest.ptr + rest.len;
	}
	if (!last)
		return false;
	*ret = span_make(rest.ptr, (size_t)(last + 1 - rest.ptr));
	b->given += ret->len;
	return true;
}

size_t linebuf_waiting(const struct linebuf *b)
{
	return b->bytes.len - b->given;
}

void linebuf_reset(struct linebuf *b)
{
	buf_clear(&b->bytes);
	b->given = 0;
}

void linebuf_free(struct linebuf *b)
{
	buf_free(&b->bytes);
	b->given = 0;
}
