/* Any bytes as a body, held against zlib: both take it or neither does, and both make the same of
 * it. As checksums keep a fuzzer out, the bytes are also put into a good frame as bare deflate. And
 * they are compressed, in pieces, and must come back. */
#include "common/gzip.h"

#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INFLATED_MAX = 100000 };

static const struct gzip_limits LIMITS = {.inflated_max = INFLATED_MAX};

static void check(bool ok)
{
	if (!ok)
		abort();
}

/* `bits` as zlib's inflateInit2 wants them. True when `body` is one whole stream of no more than
 * INFLATED_MAX bytes and nothing else. */
static bool zlib_inflate(struct span body, int bits, struct buf *out)
{
	check(buf_reserve(out, INFLATED_MAX + 1) == 0);
	z_stream z = {
		.next_in = (Bytef *)(uintptr_t)body.ptr,
		.avail_in = (uInt)body.len,
		.next_out = (Bytef *)out->ptr,
		.avail_out = INFLATED_MAX + 1,
	};
	check(inflateInit2(&z, bits) == Z_OK);
	int r = inflate(&z, Z_FINISH);
	out->len = INFLATED_MAX + 1 - z.avail_out;
	check(inflateEnd(&z) == Z_OK);
	return r == Z_STREAM_END && z.avail_in == 0 && out->len <= INFLATED_MAX;
}

static void check_body(struct span body)
{
	struct buf ours = BUF_EMPTY, theirs = BUF_EMPTY;
	bool good = gzip_inflate(body, LIMITS, &ours) == 0;
	check(good == zlib_inflate(body, 15 + 16, &theirs));
	check(good ? span_equal(buf_span(&ours), buf_span(&theirs)) : ours.len == 0);
	buf_free(&ours);
	buf_free(&theirs);
}

static int add_le32(struct buf *b, uint32_t v)
{
	return buf_add(
		b,
		(uint8_t[]){(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)},
		4);
}

static void check_deflate(struct span deflated)
{
	struct buf plain = BUF_EMPTY, body = BUF_EMPTY;
	(void)zlib_inflate(deflated, -15, &plain);
	static const char header[] = "\x1f\x8b\x08\0\0\0\0\0\0\xff";
	check(buf_add(&body, header, sizeof(header) - 1) == 0);
	check(buf_add_span(&body, deflated) == 0);
	check(add_le32(&body, (uint32_t)crc32(0, (const Bytef *)plain.ptr, (uInt)plain.len)) == 0);
	check(add_le32(&body, (uint32_t)plain.len) == 0);
	check_body(buf_span(&body));
	buf_free(&plain);
	buf_free(&body);
}

static void check_encoder(struct span data)
{
	static struct gzip_encoder *encoder;
	if (!encoder)
		encoder = gzip_encoder_new();
	check(encoder != NULL);
	struct buf body = BUF_EMPTY, back = BUF_EMPTY, zlib_back = BUF_EMPTY;
	gzip_encoder_start(encoder, &body);
	size_t piece = data.len ? 1 + (uint8_t)data.ptr[0] * (size_t)37 : 1;
	for (struct span rest = data; rest.len;) {
		size_t n = piece < rest.len ? piece : rest.len;
		check(gzip_encoder_add(encoder, span_first(rest, n)) == 0);
		rest = span_from(rest, n);
	}
	check(gzip_encoder_finish(encoder) == 0);
	check(gzip_inflate(buf_span(&body), LIMITS, &back) == 0);
	check(zlib_inflate(buf_span(&body), 15 + 16, &zlib_back));
	check(span_equal(buf_span(&back), data) && span_equal(buf_span(&zlib_back), data));
	buf_free(&body);
	buf_free(&back);
	buf_free(&zlib_back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span bytes = span_make((const char *)data, size);
	check_body(bytes);
	check_deflate(bytes);
	check_encoder(bytes);
	return 0;
}
