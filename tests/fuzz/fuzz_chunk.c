/* Headers, answers and rows of streams from a hostile peer: nothing that is taken may break the
 * contract, and what was taken is written again so that it reads the same. */
#include "common/chunk.h"

#include "common/crc64.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

/* Points into memory that is there. */
static void touch(struct span s)
{
	volatile char sink = 0;
	for (size_t i = 0; i < s.len; i++)
		sink = (char)(sink ^ s.ptr[i]);
}

static void check_header(struct span text)
{
	struct buf scratch = BUF_EMPTY, again = BUF_EMPTY, scratch_again = BUF_EMPTY;
	struct chunk c, d;
	const char *why = NULL;
	if (chunk_decode(text, &scratch, &c, &why) < 0) {
		touch(span_of(why));
		buf_free(&scratch);
		return;
	}
	touch(c.host);
	touch(c.service);
	touch(c.instance);
	check(c.start <= c.from && c.from <= c.to && c.base <= (c.loss.len ? c.to : c.from));
	check(c.path.len <= CHUNK_PATH_MAX && c.state.len <= CHUNK_STATE_MAX &&
	      c.loss.len <= CHUNK_LOSS_MAX);
	check(!c.loss.len || (!c.lines && !c.bytes));
	int r = chunk_encode(&c, &again);
	check(r == 0 || r == -EMSGSIZE /* more keys are written than need be there */);
	if (r == 0) {
		struct span line = span_first(buf_span(&again), again.len - 1);
		check(again.len <= CHUNK_HEADER_MAX && span_find(line, '\n') == line.len);
		check(chunk_decode(line, &scratch_again, &d, &why) == 0);
		check(stream_id_equal(&c.stream, &d.stream) && span_equal(c.host, d.host) &&
		      span_equal(c.service, d.service) && span_equal(c.instance, d.instance) &&
		      span_starts_with(c.path, d.path) && span_equal(c.state, d.state) &&
		      span_equal(c.loss, d.loss));
		check(c.ino == d.ino && c.btime_ns == d.btime_ns && c.start == d.start &&
		      c.from == d.from && c.to == d.to && c.base == d.base &&
		      c.crc_from == d.crc_from && c.crc == d.crc && c.lines == d.lines &&
		      c.dropped == d.dropped && c.repair == d.repair && c.ended == d.ended &&
		      c.bytes == d.bytes);
	}
	buf_free(&scratch);
	buf_free(&again);
	buf_free(&scratch_again);
}

struct answer {
	size_t n;
	uint64_t crc; /* of all that the verdicts say */
};

static int add_verdict(void *user, size_t index, const struct chunk_verdict *v)
{
	struct answer *a = user;
	check(index == a->n++);
	a->crc = crc64_add(a->crc, &v->stream, sizeof(v->stream));
	a->crc = crc64_add(a->crc, &v->status, sizeof(v->status));
	a->crc = crc64_add(a->crc, &v->offset, sizeof(v->offset));
	a->crc = crc64_add(a->crc, &v->crc, sizeof(v->crc));
	touch(span_of(v->error));
	touch(span_of(chunk_status_name(v->status)));
	return 0;
}

/* With a blank in front yajl reads it all: it means the same. */
static void check_answer(struct span text)
{
	struct buf laid_out = BUF_EMPTY;
	struct answer one = {0, CRC64_EMPTY}, other = {0, CRC64_EMPTY};
	check(buf_add_char(&laid_out, ' ') == 0 && buf_add_span(&laid_out, text) == 0);
	int r = chunk_decode_answer(text, add_verdict, &one);
	check(chunk_decode_answer(buf_span(&laid_out), add_verdict, &other) == r);
	check(one.n == other.n && one.crc == other.crc);
	buf_free(&laid_out);
}

static void check_row(struct span text)
{
	struct buf scratch = BUF_EMPTY, again = BUF_EMPTY, scratch_again = BUF_EMPTY;
	struct stream_row row, back;
	const char *why = NULL;
	if (stream_row_decode(text, &scratch, &row, &why) == 0) {
		check(stream_row_encode(&row, &again) == 0);
		check(stream_row_decode(buf_span(&again), &scratch_again, &back, &why) == 0);
		check(span_equal(row.path, back.path) && span_equal(row.state, back.state) &&
		      row.offset == back.offset && row.ended == back.ended);
	} else {
		touch(span_of(why));
	}
	buf_free(&scratch);
	buf_free(&again);
	buf_free(&scratch_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_make((const char *)data, size);
	check_header(text);
	check_row(text);
	check_answer(text);
	return 0;
}
