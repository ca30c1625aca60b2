/* Reading answers: see chunk.h. The agent does so once a batch, for each of its chunks.
 *
 * An answer as chunk_encode_answer lays it out, with nothing refused, is read from one fixed place
 * to the next: with many files that grow by a line now and then, a chunk has a line, and its
 * verdict in JSON would cost more than all else. It is seen to be whole before anything of it is
 * told. Any other answer goes through yajl, and means the same. */
#include "common/chunk.h"

#include "common/json.h"
#include "common/json_record.h"
#include "common/num.h"

#include <errno.h>

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

typedef int each_verdict(void *user, size_t index, const struct chunk_verdict *v);

static int parse_status(struct span s, enum chunk_status *ret)
{
	static const enum chunk_status all[] = {CHUNK_COMMITTED, CHUNK_DUPLICATE, CHUNK_CONFLICT,
						CHUNK_REFUSED};
	for (size_t i = 0; i < COUNT(all); i++) {
		if (span_is(s, chunk_status_name(all[i]))) {
			*ret = all[i];
			return 0;
		}
	}
	return -EBADMSG;
}

/* ---- As it is written ---- */

static bool take(struct span *in, struct span text)
{
	if (!span_starts_with(*in, text))
		return false;
	*in = span_from(*in, text.len);
	return true;
}

/* What stands before `end`. */
static struct span take_to(struct span *in, char end)
{
	struct span text = span_first(*in, span_find(*in, end));
	*in = span_from(*in, text.len);
	return text;
}

static bool take_verdict(struct span *in, struct chunk_verdict *ret)
{
	*ret = (struct chunk_verdict){.error = NULL};
	if (!take(in, SPAN_LITERAL("{\"stream\":\"")) ||
	    stream_id_parse(take_to(in, '"'), &ret->stream) < 0 ||
	    !take(in, SPAN_LITERAL("\",\"status\":\"")) ||
	    parse_status(take_to(in, '"'), &ret->status) < 0 ||
	    !take(in, SPAN_LITERAL("\",\"offset\":")))
		return false;
	struct span offset = take_to(in, ',');
	bool zeros = offset.len > 1 && offset.ptr[0] == '0'; /* JSON knows no such number */
	return !zeros && num_parse_u64(offset, &ret->offset) == 0 &&
	       take(in, SPAN_LITERAL(",\"crc\":\"")) &&
	       num_parse_hex64(take_to(in, '"'), &ret->crc) == 0 && take(in, SPAN_LITERAL("\"}"));
}

/* 0, the error of `each`, or -EBADMSG: it is written otherwise. */
static int read_plain(struct span in, each_verdict *each, void *user)
{
	struct chunk_verdict v;
	size_t index = 0;
	int r = 0;
	if (!take(&in, SPAN_LITERAL("{\"chunks\":[")))
		return -EBADMSG;
	do {
		if (!take_verdict(&in, &v))
			return -EBADMSG;
		r = each(user, index++, &v);
	} while (r == 0 && take(&in, SPAN_LITERAL(",")));
	if (r < 0)
		return r;
	return span_is(in, "]}\n") ? 0 : -EBADMSG;
}

static int tell_nobody(void *user, size_t index, const struct chunk_verdict *v)
{
	(void)user;
	(void)index;
	(void)v;
	return 0;
}

/* ---- Any JSON ---- */

enum { ERROR_MAX = 1024 };

struct verdict_record {
	struct stream_id stream;
	struct span status, error;
	uint64_t offset, crc;
};

#define AT(field) offsetof(struct verdict_record, field)
static const struct json_field VERDICT_FIELDS[] = {
	{"stream", JSON_FIELD_STREAM, true, AT(stream), 0},
	{"status", JSON_FIELD_TEXT, true, AT(status), 16},
	{"offset", JSON_FIELD_NUMBER, true, AT(offset), 0},
	{"crc", JSON_FIELD_HEX64, true, AT(crc), 0},
	{"error", JSON_FIELD_NO_NUL, false, AT(error), ERROR_MAX},
};
#undef AT

struct answer_reader {
	each_verdict *each;
	void *user;
	size_t index;
	bool has_chunks;
	struct buf scratch, error;
};

static int on_verdict(void *user, struct span key, struct json_value value)
{
	(void)key;
	if (value.type != JSON_NESTED)
		return -EBADMSG;
	struct answer_reader *a = user;
	struct verdict_record record = {0};
	uint64_t seen;
	const char *why;
	int r = json_record_read(value.text, VERDICT_FIELDS, COUNT(VERDICT_FIELDS), &record, &seen,
				 &a->scratch, &why);
	struct chunk_verdict v = {
		.stream = record.stream, .offset = record.offset, .crc = record.crc};
	if (r == 0)
		r = parse_status(record.status, &v.status);
	if (r == 0 && record.error.len) {
		buf_clear(&a->error);
		r = buf_add_span(&a->error, record.error);
		v.error = r < 0 ? NULL : buf_cstr(&a->error);
		if (r == 0 && !v.error)
			r = -ENOMEM;
	}
	return r < 0 ? r : a->each(a->user, a->index++, &v);
}

static int on_answer_key(void *user, struct span key, struct json_value value)
{
	struct answer_reader *a = user;
	if (!span_is(key, "chunks"))
		return 0;
	if (a->has_chunks || value.type != JSON_NESTED)
		return -EBADMSG;
	a->has_chunks = true;
	return json_read_array(value.text, on_verdict, a);
}

int chunk_decode_answer(struct span body, each_verdict *each, void *user)
{
	if (read_plain(body, tell_nobody, NULL) == 0)
		return read_plain(body, each, user);
	struct answer_reader a = {.each = each, .user = user};
	int r = json_read_object(body, on_answer_key, &a);
	buf_free(&a.scratch);
	buf_free(&a.error);
	return r == 0 && !a.has_chunks ? -EBADMSG : r;
}
