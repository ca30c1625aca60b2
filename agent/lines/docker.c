/* Docker's json-file format: see docker.h. Called by the envelope once a line.
 *
 * moby writes the fields in one order and without a blank, the time last, so the plain case is read
 * from one fixed place to the next. What is laid out otherwise goes through yajl: somebody else
 * wrote it, and it is rare. */
#include "agent/lines/docker.h"

#include "agent/lines/docker_string.h"
#include "agent/lines/rfc3339.h"
#include "common/json.h"

#include <errno.h>

/* --- the plain case --- */

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

/* ,"time":"..."} */
static int take_time(struct span in, int64_t *ret_us)
{
	static const char key[] = ",\"time\":\"", end[] = "\"}";
	const size_t key_len = sizeof(key) - 1, end_len = sizeof(end) - 1;
	if (in.len < key_len + end_len || memcmp(in.ptr, key, key_len) != 0 ||
	    memcmp(in.ptr + in.len - end_len, end, end_len) != 0)
		return -EBADMSG;
	struct span time = span_make(in.ptr + key_len, in.len - key_len - end_len);
	return rfc3339_parse_us(time, ret_us) < 0 ? -EBADMSG : 0;
}

static bool is_attrs(struct span in)
{
	return span_starts_with(in, SPAN_LITERAL(",\"attrs\":{")) &&
	       span_ends_with(in, SPAN_LITERAL("}"));
}

/* As moby lays it out. -EBADMSG: otherwise. */
static int decode_plain(struct span line, struct buf *scratch, struct docker_string *log,
			struct container_line *l)
{
	static const char key[] = "{\"log\":\"", stream[] = ",\"stream\":\"std...\"";
	const size_t key_len = sizeof(key) - 1, stream_len = sizeof(stream) - 1;
	const char *end = line.ptr + line.len;
	if (line.len < key_len || memcmp(line.ptr, key, key_len) != 0)
		return -EBADMSG;
	int r = docker_string_read(line.ptr + key_len, end, scratch, log);
	if (r < 0)
		return r;
	const char *p = log->next;
	if ((size_t)(end - p) < stream_len || memcmp(p, stream, stream_len - 7) != 0 ||
	    p[stream_len - 1] != '"')
		return -EBADMSG;
	r = take_output(span_make(p + stream_len - 7, 6), &l->output);
	if (r < 0)
		return r;
	p += stream_len;
	const char *comma = memrchr(p, ',', (size_t)(end - p)); /* there is none in a time */
	if (!comma || (comma > p && !is_attrs(span_make(p, (size_t)(comma - p)))))
		return -EBADMSG;
	return take_time(span_make(comma, (size_t)(end - comma)), &l->time_us);
}

/* --- what is odd --- */

struct fields {
	struct buf *scratch;
	struct docker_string log;
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
		f->log = (struct docker_string){.text = buf_span(f->scratch), .odd = true};
		docker_string_take_lf(&f->log);
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
static int decode_odd(struct span line, struct buf *scratch, struct docker_string *log,
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
	struct docker_string log;
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
