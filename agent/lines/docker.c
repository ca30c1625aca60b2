/* Docker's json-file format: see docker.h. Called by the envelope once a line.
 *
 * moby writes the fields in one order and without a blank, the time last, so the plain case is read
 * at fixed places from both ends; only the text of `log` is looked at byte by byte, 16 at a time
 * where the processor can: nearly all of an application's JSON is runs of a few bytes between two
 * \". What is laid out otherwise goes through yajl: somebody else wrote it, and it is rare. */
#include "agent/lines/docker.h"

#include "agent/lines/rfc3339.h"
#include "common/json.h"

#include <errno.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
	TIME_MAX = 36, /* 2026-11-22T05:40:00.123456789+02:00 */
	SLACK = 16,    /* copies are made in whole registers */
	UTF8_MAX = 4,
};

/* --- strings ------------------------------------------------------------------------------- */

/* The number of four hex digits; -1: they are none. */
static int32_t hex4(const char *p)
{
	int32_t v = 0;
	for (int i = 0; i < 4; i++) {
		unsigned char c = (unsigned char)p[i];
		int d = c >= '0' && c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
		if (d < 0 || d > 15 || (d > 9 && c < 'A'))
			return -1;
		v = v << 4 | d;
	}
	return v;
}

static size_t put_utf8(char *dst, uint32_t code)
{
	if (code < 0x80) {
		dst[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		dst[0] = (char)(0xc0 | code >> 6);
		dst[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		dst[0] = (char)(0xe0 | code >> 12);
		dst[1] = (char)(0x80 | (code >> 6 & 0x3f));
		dst[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	dst[0] = (char)(0xf0 | code >> 18);
	dst[1] = (char)(0x80 | (code >> 12 & 0x3f));
	dst[2] = (char)(0x80 | (code >> 6 & 0x3f));
	dst[3] = (char)(0x80 | (code & 0x3f));
	return UTF8_MAX;
}

struct unescaped {
	char *dst;
	bool odd; /* something came out that line_clean has to look at */
};

/* Does the string end behind the escape of two bytes at `p`? */
static bool is_last(const char *p, const char *end)
{
	return end - p > 2 && p[2] == '"';
}

/* Does it end with the escapes of CR and LF at `p`? */
static bool is_cr_lf(const char *p, const char *end)
{
	return end - p > 4 && memcmp(p + 2, "\\n\"", 3) == 0;
}

/* The escape at `p` (its backslash): returns its length, 0 when it is none. */
static size_t take_escape(const char *p, const char *end, struct unescaped *u)
{
	static const char plain[128] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
					['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};
	if (end - p < 2)
		return 0;
	unsigned char c = (unsigned char)p[1];
	if (c != 'u') {
		if (c >= sizeof(plain) || !plain[c])
			return 0;
		*u->dst++ = plain[c];
		if (c == 'b' || c == 'f' || (c == 'n' && !is_last(p, end)) ||
		    (c == 'r' && !is_last(p, end) && !is_cr_lf(p, end)))
			u->odd = true;
		return 2;
	}
	int32_t code = end - p < 6 ? -1 : hex4(p + 2), low;
	size_t len = 6;
	if (code < 0)
		return 0;
	if (code >= 0xd800 && code <= 0xdfff) {
		bool pair = code < 0xdc00 && end - p >= 12 && p[6] == '\\' && p[7] == 'u' &&
			    (low = hex4(p + 8)) >= 0xdc00 && low <= 0xdfff;
		if (pair) {
			code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
			len = 12;
		} else {
			code = 0xfffd;
		}
	}
	u->odd = u->odd || (code < 0x20 && code != '\t') || (code >= 0x7f && code < 0xa0);
	u->dst += put_utf8(u->dst, (uint32_t)code);
	return len;
}

/* The first quote or backslash from `p` on, or `end`. */
static const char *find_special(const char *p, const char *end)
{
#ifdef __SSE2__
	const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
	for (; end - p >= 16; p += 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
		int hits = _mm_movemask_epi8(
			_mm_or_si128(_mm_cmpeq_epi8(x, quote), _mm_cmpeq_epi8(x, backslash)));
		if (hits)
			return p + __builtin_ctz((unsigned)hits);
	}
#endif
	while (p < end && *p != '"' && *p != '\\')
		p++;
	return p;
}

/* Copies what lies before the next quote or escape, but goes on over \": of an application's JSON these are nearly
 * all. dst has room for the rest and SLACK. */
static const char *copy_plain(const char *p, const char *end, char **dst)
{
	char *d = *dst;
#ifdef __SSE2__
	const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
	while (end - p >= 16 + 1) {
		__m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
		_mm_storeu_si128((__m128i *)(void *)d, x);
		int hits = _mm_movemask_epi8(
			_mm_or_si128(_mm_cmpeq_epi8(x, quote), _mm_cmpeq_epi8(x, backslash)));
		if (!hits) {
			p += 16;
			d += 16;
			continue;
		}
		int n = __builtin_ctz((unsigned)hits);
		p += n;
		d += n;
		if (memcmp(p, "\\\"", 2) != 0) {
			*dst = d;
			return p;
		}
		p += 2;
		*d++ = '"';
	}
#endif
	while (p < end && *p != '"' && *p != '\\')
		*d++ = *p++;
	*dst = d;
	return p;
}

struct string {
	struct span text; /* without the \n at its end */
	bool ended;       /* it had one */
	bool odd;
	const char *next; /* its closing quote */
};

static void take_lf(struct string *s)
{
	s->ended = s->text.len && s->text.ptr[s->text.len - 1] == '\n';
	if (s->ended)
		s->text.len--;
}

/* Reads the string whose first byte is at `p`. It points into the line when nothing but the \n at
 * its end was escaped. Errors: -EBADMSG, -ENOMEM. */
static int take_string(const char *p, const char *end, struct buf *scratch, struct string *ret)
{
	const char *begin = p;
	p = find_special(p, end);
	if (end - p > 2 && p[0] == '\\' && p[1] == 'n' && p[2] == '"') {
		*ret = (struct string){span_make(begin, (size_t)(p - begin)), true, false, p + 2};
		return 0;
	}
	if (p < end && *p == '"') {
		*ret = (struct string){span_make(begin, (size_t)(p - begin)), false, false, p};
		return 0;
	}
	buf_clear(scratch);
	int r = buf_reserve(scratch, (size_t)(end - begin) + SLACK);
	if (r < 0)
		return r;
	struct unescaped u = {.dst = scratch->ptr};
	p = copy_plain(begin, end, &u.dst);
	while (p < end && *p == '\\') {
		size_t n = take_escape(p, end, &u);
		if (!n)
			return -EBADMSG;
		p = copy_plain(p + n, end, &u.dst);
	}
	if (p == end)
		return -EBADMSG;
	scratch->len = (size_t)(u.dst - scratch->ptr);
	*ret = (struct string){buf_span(scratch), false, u.odd, p};
	take_lf(ret);
	return 0;
}

/* --- the plain case ------------------------------------------------------------------------ */

static int take_output(struct span name, uint8_t *ret)
{
	if (span_equal(name, SPAN_LITERAL("stdout")))
		*ret = 0;
	else if (span_equal(name, SPAN_LITERAL("stderr")))
		*ret = 1;
	else
		return -EBADMSG;
	return 0;
}

/* Takes ,"time":"..."} off the end of the line. */
static int take_time(struct span *line, int64_t *ret_us)
{
	static const char key[] = ",\"time\":\"";
	const size_t key_len = sizeof(key) - 1;
	if (!span_ends_with(*line, SPAN_LITERAL("\"}")))
		return -EBADMSG;
	const char *end = line->ptr + line->len - 2;
	size_t far = line->len - 2 < TIME_MAX ? line->len - 2 : TIME_MAX;
	const char *p = memrchr(end - far, '"', far);
	p = p ? p + 1 : end;
	size_t before = (size_t)(p - line->ptr);
	if (before < key_len || memcmp(p - key_len, key, key_len) != 0)
		return -EBADMSG;
	line->len = before - key_len;
	return rfc3339_parse_us(span_make(p, (size_t)(end - p)), ret_us) < 0 ? -EBADMSG : 0;
}

/* As moby lays it out. -EBADMSG: otherwise. */
static int decode_plain(struct span line, struct buf *scratch, struct string *log,
			struct container_line *l)
{
	static const char key[] = "{\"log\":\"", stream[] = ",\"stream\":\"std...\"";
	const size_t key_len = sizeof(key) - 1, stream_len = sizeof(stream) - 1;
	if (line.len < key_len || memcmp(line.ptr, key, key_len) != 0)
		return -EBADMSG;
	int r = take_time(&line, &l->time_us);
	if (r < 0 || line.len < key_len)
		return -EBADMSG;
	const char *end = line.ptr + line.len;
	r = take_string(line.ptr + key_len, end, scratch, log);
	if (r < 0)
		return r;
	const char *p = log->next + 1;
	if ((size_t)(end - p) < stream_len || memcmp(p, stream, stream_len - 7) != 0 ||
	    p[stream_len - 1] != '"')
		return -EBADMSG;
	r = take_output(span_make(p + stream_len - 7, 6), &l->output);
	if (r < 0)
		return r;
	struct span attrs = span_make(p + stream_len, (size_t)(end - p) - stream_len);
	return !attrs.len || (span_starts_with(attrs, SPAN_LITERAL(",\"attrs\":{")) &&
			      span_ends_with(attrs, SPAN_LITERAL("}")))
		       ? 0
		       : -EBADMSG;
}

/* --- what is odd --------------------------------------------------------------------------- */

struct fields {
	struct buf *scratch;
	struct string log;
	struct container_line *l;
	bool has_output, has_time;
};

static int take_field(void *user, struct span key, struct json_value v)
{
	struct fields *f = user;
	if (v.type != JSON_STRING)
		return 0;
	if (span_is(key, "log")) {
		buf_clear(f->scratch);
		f->log.text = (struct span){NULL, 0};
		int r = buf_add_span(f->scratch, v.text);
		if (r < 0)
			return r;
		f->log = (struct string){.text = buf_span(f->scratch), .odd = true};
		take_lf(&f->log);
	} else if (span_is(key, "stream")) {
		f->has_output = true;
		return take_output(v.text, &f->l->output);
	} else if (span_is(key, "time")) {
		f->has_time = true;
		return rfc3339_parse_us(v.text, &f->l->time_us) < 0 ? -EBADMSG : 0;
	}
	return 0;
}

/* moby leaves out a `log` that is empty. */
static int decode_odd(struct span line, struct buf *scratch, struct string *log,
		      struct container_line *l)
{
	struct fields f = {.scratch = scratch, .l = l};
	int r = json_read_object(line, take_field, &f);
	if (r < 0)
		return r;
	if (!f.has_output || !f.has_time)
		return -EBADMSG;
	*log = f.log;
	return 0;
}

int docker_decode(struct span line, bool clean, struct buf *scratch, struct container_line *ret)
{
	struct container_line l = {.output = 0};
	struct string log;
	int r = decode_plain(line, scratch, &log, &l);
	if (r == -EBADMSG)
		r = decode_odd(line, scratch, &log, &l);
	if (r < 0)
		return r;
	l.text = log.text;
	l.partial = !log.ended;
	l.clean = clean && !log.odd;
	*ret = l;
	return 0;
}
