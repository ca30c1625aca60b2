/* The line format: see line.h. The agent writes payload lines (line_add_payload, or line_add_prefix
 * where it knows already that a message is clean), the collector checks them (line_next_payload)
 * and the reader splits what is stored (line_parse_stored). All three run once a line.
 *
 * What is appended is measured first and then written into room that is there: a failure leaves the
 * output as it was. */
#include "common/line.h"

#include "common/line_scan.h"
#include "common/name.h"

#include <errno.h>

enum {
	ESCAPE_LEN = 4, /* \xNN */
	/* Time, F, blank, LF. */
	PAYLOAD_MIN = CIVIL_TIME_LEN + 1 + 1 + 1,
};

static const char HEX[] = "0123456789abcdef";

size_t line_format_flags(char dst[LINE_FLAGS_MAX], struct line_flags flags)
{
	size_t n = 0;
	dst[n++] = (char)flags.kind;
	if (flags.from_stderr)
		dst[n++] = 'e';
	if (flags.read_time)
		dst[n++] = 'r';
	if (flags.escaped)
		dst[n++] = 'x';
	return n;
}

static bool take(struct span *s, char c)
{
	if (s->len == 0 || s->ptr[0] != c)
		return false;
	*s = span_from(*s, 1);
	return true;
}

int line_parse_flags(struct span s, struct line_flags *ret)
{
	struct line_flags flags = {0};
	if (take(&s, LINE_HEAD))
		flags.kind = LINE_HEAD;
	else if (take(&s, LINE_CONT))
		flags.kind = LINE_CONT;
	else if (take(&s, LINE_PIECE))
		flags.kind = LINE_PIECE;
	else
		return -EINVAL;
	flags.from_stderr = take(&s, 'e');
	flags.read_time = take(&s, 'r');
	flags.escaped = take(&s, 'x');
	if (s.len)
		return -EINVAL;
	*ret = flags;
	return 0;
}

/* The part of a message that is escaped: all but a last CR. */
static struct span escapable(struct span message)
{
	bool cr = message.len && message.ptr[message.len - 1] == '\r';
	return span_first(message, message.len - cr);
}

static size_t escaped_len(struct span message)
{
	struct span rest = escapable(message);
	size_t len = message.len;
	while (rest.len) {
		rest = span_from(rest, line_scan_plain(rest));
		if (rest.len == 0)
			break;
		len += rest.ptr[0] == '\\' ? 1 : ESCAPE_LEN - 1;
		rest = span_from(rest, 1);
	}
	return len;
}

static size_t put(char *dst, struct span s)
{
	if (s.len)
		memcpy(dst, s.ptr, s.len);
	return s.len;
}

/* Writes escaped_len bytes. */
static void put_escaped(char *dst, struct span message)
{
	struct span rest = escapable(message);
	struct span cr = span_from(message, rest.len);
	for (;;) {
		size_t plain = line_scan_plain(rest);
		dst += put(dst, span_first(rest, plain));
		rest = span_from(rest, plain);
		if (rest.len == 0)
			break;
		unsigned char c = (unsigned char)rest.ptr[0];
		*dst++ = '\\';
		if (c == '\\') {
			*dst++ = '\\';
		} else {
			*dst++ = 'x';
			*dst++ = HEX[c >> 4];
			*dst++ = HEX[c & 15];
		}
		rest = span_from(rest, 1);
	}
	(void)put(dst, cr);
}

int line_escape(struct span message, struct buf *out)
{
	size_t len = escaped_len(message);
	int r = buf_reserve(out, len);
	if (r < 0 || len == 0)
		return r;
	put_escaped(out->ptr + out->len, message);
	out->len += len;
	return 0;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* The escape that `s` begins with: its length, and the byte that it stands for; 0 when it is
 * none. */
static size_t take_escape(struct span s, char *ret_byte)
{
	if (s.len >= 2 && s.ptr[1] == '\\') {
		*ret_byte = '\\';
		return 2;
	}
	if (s.len < ESCAPE_LEN || s.ptr[1] != 'x')
		return 0;
	int high = digit_value(s.ptr[2]);
	int low = digit_value(s.ptr[3]);
	if (high < 0 || low < 0)
		return 0;
	*ret_byte = (char)(high << 4 | low);
	return ESCAPE_LEN;
}

int line_unescape(struct span escaped, struct buf *out)
{
	int r = buf_reserve(out, escaped.len);
	if (r < 0 || escaped.len == 0)
		return r;
	char *dst = out->ptr + out->len;
	while (escaped.len) {
		size_t plain = span_find(escaped, '\\');
		dst += put(dst, span_first(escaped, plain));
		escaped = span_from(escaped, plain);
		if (escaped.len == 0)
			break;
		size_t n = take_escape(escaped, dst);
		if (n == 0)
			return -EINVAL;
		dst++;
		escaped = span_from(escaped, n);
	}
	out->len = (size_t)(dst - out->ptr);
	return 0;
}

static bool escapes_are_well_formed(struct span message)
{
	for (;;) {
		message = span_from(message, span_find(message, '\\'));
		if (message.len == 0)
			return true;
		char byte;
		size_t n = take_escape(message, &byte);
		if (n == 0)
			return false;
		message = span_from(message, n);
	}
}

static size_t put_prefix(char *dst, int64_t time_us, struct line_flags flags)
{
	civil_format_us(dst, time_us);
	size_t n = CIVIL_TIME_LEN;
	n += line_format_flags(dst + n, flags);
	dst[n++] = ' ';
	return n;
}

int line_add_prefix(struct buf *out, int64_t time_us, struct line_flags flags)
{
	int r = buf_reserve(out, LINE_PREFIX_MAX);
	if (r < 0)
		return r;
	out->len += put_prefix(out->ptr + out->len, time_us, flags);
	return 0;
}

int line_add_payload(struct buf *out, int64_t time_us, struct line_flags flags, struct span message)
{
	flags.escaped = !line_clean(message);
	size_t len = flags.escaped ? escaped_len(message) : message.len;
	char prefix[LINE_PREFIX_MAX];
	size_t prefix_len = put_prefix(prefix, time_us, flags);
	int r = buf_reserve(out, prefix_len + len + 1);
	if (r < 0)
		return r;
	char *dst = out->ptr + out->len;
	dst += put(dst, span_make(prefix, prefix_len));
	if (flags.escaped)
		put_escaped(dst, message);
	else
		(void)put(dst, message);
	dst[len] = '\n';
	out->len += prefix_len + len + 1;
	return 0;
}

static int refuse(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EINVAL;
}

int line_next_payload(struct span *in, struct payload_line *ret, const char **ret_why)
{
	if (in->len == 0)
		return -ENODATA;
	if (in->len < PAYLOAD_MIN)
		return refuse(ret_why, "a line is cut short");
	struct payload_line line;
	if (civil_parse_us(span_first(*in, CIVIL_TIME_LEN), &line.time_us) < 0)
		return refuse(ret_why, "a line does not begin with a time");
	struct span rest = span_from(*in, CIVIL_TIME_LEN);
	size_t blank = 1; /* at least one flag, and rest has three bytes */
	while (blank < LINE_FLAGS_MAX && blank + 1 < rest.len && rest.ptr[blank] != ' ')
		blank++;
	if (rest.ptr[blank] != ' ' || line_parse_flags(span_first(rest, blank), &line.flags) < 0)
		return refuse(ret_why, "a line has bad flags");
	bool clean;
	line.message = span_from(rest, blank + 1);
	size_t n = line_scan(line.message.ptr, line.message.len, &clean);
	if (n == line.message.len)
		return refuse(ret_why, "a line has no LF at its end");
	if (!clean)
		return refuse(ret_why, "a message is not clean");
	line.message.len = n;
	if (line.flags.escaped && !escapes_are_well_formed(line.message))
		return refuse(ret_why, "a message has a bad escape");
	line.flags_to_end = span_first(rest, blank + 1 + n + 1);
	*in = span_from(rest, line.flags_to_end.len);
	*ret = line;
	return 0;
}

/* Takes the bytes before the next blank, which is taken too. */
static bool take_column(struct span *in, struct span *ret)
{
	size_t n = span_find(*in, ' ');
	if (n == in->len)
		return false;
	*ret = span_first(*in, n);
	*in = span_from(*in, n + 1);
	return true;
}

int line_parse_stored(struct span line, struct stored_line *ret)
{
	struct stored_line l;
	struct span flags;
	if (!take_column(&line, &l.time) || !take_column(&line, &l.host) ||
	    !take_column(&line, &l.service_column) || !take_column(&line, &flags))
		return -EINVAL;
	size_t slash = span_find(l.service_column, '/');
	l.service = span_first(l.service_column, slash);
	l.instance = span_from(l.service_column, slash);
	if (l.instance.len) {
		l.instance = span_from(l.instance, 1);
		if (!name_valid(l.instance))
			return -EINVAL;
	}
	l.message = line;
	if (civil_parse_us(l.time, &l.time_us) < 0 || !name_valid(l.host) ||
	    !name_valid(l.service) || line_parse_flags(flags, &l.flags) < 0)
		return -EINVAL;
	*ret = l;
	return 0;
}
