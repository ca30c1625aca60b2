/* The CRI log format: see cri.h. Called by the envelope once a line. Everything is at a fixed place
 * or behind the next blank, and the content runs to the line's end as it is, so nothing is copied.
 * What kubelet's own reader would not take, or a tag that nobody has defined, is an error: the
 * envelope then sends the line as it stands. */
#include "agent/lines/cri.h"

#include "agent/lines/rfc3339.h"

#include <errno.h>

/* Takes the next field and the blank behind it off `in`; a field at the end has none. */
static struct span take_field(struct span *in)
{
	struct span field = span_first(*in, span_find(*in, ' '));
	*in = span_from(*in, field.len < in->len ? field.len + 1 : in->len);
	return field;
}

int cri_decode(struct span line, bool clean, struct container_line *ret)
{
	struct container_line l = {.clean = clean};
	struct span time = take_field(&line);
	if (rfc3339_parse_us(time, &l.time_us) < 0)
		return -EBADMSG;
	struct span output = take_field(&line);
	if (output.len != 6 || memcmp(output.ptr, "std", 3) != 0)
		return -EBADMSG;
	if (memcmp(output.ptr + 3, "err", 3) == 0)
		l.output = 1;
	else if (memcmp(output.ptr + 3, "out", 3) != 0)
		return -EBADMSG;
	struct span tags = take_field(&line);
	if (!tags.len || (tags.ptr[0] != 'F' && tags.ptr[0] != 'P') ||
	    (tags.len > 1 && tags.ptr[1] != ':'))
		return -EBADMSG;
	l.partial = tags.ptr[0] == 'P';
	l.text = line;
	*ret = l;
	return 0;
}
