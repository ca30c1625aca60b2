/* Sealing: see seal.h. Called by the janitor.
 *
 * Each block is digested, compressed in one go and written at once, so that memory is that of a
 * block (or of the longest line). A block also ends where its tokens would be more than the largest
 * filter is meant for. As the file grows its write-back is begun, so that the fsync at the end is
 * short and does not stand in the way of the WAL's.
 *
 * How far back zstd looks for a match decides what a match costs. Where lines are full of ids near
 * ones are worth more than far ones, in other logs it is the other way round: so the first block of
 * a large segment is compressed in both ways, and the better one is kept. */
#include "collector/store/seal.h"

#include "collector/store/filter.h"
#include "collector/store/sealed.h"
#include "common/crc64.h"
#include "common/file.h"
#include "common/gzip.h"

#include <zlib.h>
#include <zstd.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum {
	PUSH_BYTES = 4 << 20,
	ISAL_LEVEL = 1, /* gzip's level that ISA-L makes */
	FAST_LEVEL = 2, /* zstd's, up to which it only looks matches up in a hash table */
	TRIAL_BYTES = 8 << 20,
};

/* The two ways for zstd, as logarithms: 0 leaves it to the level. The first is for small segments,
 * too. */
struct reach {
	int window, hash;
};
static const struct reach fast_reach[] = {{18, 13}, {18, 12}},
			  thorough_reach[] = {{18, 0}, {16, 0}};

struct sealer {
	struct digest digest;
	struct buf out;
	ZSTD_CCtx *zstd;
	struct gzip_encoder *gzip;
	const struct seal_request *request;
	struct seal_result result;
	uint64_t pushed;
	bool reach_chosen;
};

struct sealer *sealer_new(void)
{
	struct sealer *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->zstd = ZSTD_createCCtx();
	s->gzip = gzip_encoder_new();
	if (s->zstd && s->gzip)
		return s;
	sealer_free(s);
	return NULL;
}

void sealer_free(struct sealer *s)
{
	if (!s)
		return;
	digest_free(&s->digest);
	buf_free(&s->out);
	ZSTD_freeCCtx(s->zstd);
	gzip_encoder_free(s->gzip);
	free(s);
}

/* --- one block --- */

static int compress_zstd(struct sealer *s, struct span plain)
{
	size_t bound = ZSTD_compressBound(plain.len);
	int r = buf_reserve(&s->out, bound);
	if (r < 0)
		return r;
	size_t n = ZSTD_compress2(s->zstd, s->out.ptr, bound, plain.ptr, plain.len);
	if (ZSTD_isError(n))
		return -ENOMEM; /* the only way it can fail with room enough */
	s->out.len = n;
	return 0;
}

static void set_reach(struct sealer *s, bool second)
{
	const struct reach *both = s->request->level <= FAST_LEVEL ? fast_reach : thorough_reach;
	const struct reach *reach = &both[second];
	/* Bounds that zstd has for every level; else it stays as it was. */
	(void)ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_windowLog, reach->window);
	(void)ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_hashLog, reach->hash);
}

/* Takes the way that makes less of the segment's first block. */
static int choose_reach(struct sealer *s, struct span plain)
{
	s->reach_chosen = true;
	if (s->request->length < TRIAL_BYTES)
		return 0;
	int r = compress_zstd(s, plain);
	size_t first = s->out.len;
	set_reach(s, true);
	if (r == 0)
		r = compress_zstd(s, plain);
	if (s->out.len > first)
		set_reach(s, false);
	return r;
}

static int compress_isal(struct sealer *s, struct span plain)
{
	gzip_encoder_start(s->gzip, &s->out);
	int r = gzip_encoder_add(s->gzip, plain);
	return r < 0 ? r : gzip_encoder_finish(s->gzip);
}

static int compress_zlib(struct sealer *s, struct span plain)
{
	z_stream z = {0};
	if (plain.len > INT32_MAX)
		return -EFBIG;
	if (deflateInit2(&z, s->request->level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	uLong bound = deflateBound(&z, (uLong)plain.len);
	int r = buf_reserve(&s->out, bound);
	if (r == 0) {
		z.next_in = (Bytef *)(uintptr_t)plain.ptr;
		z.avail_in = (unsigned)plain.len;
		z.next_out = (Bytef *)s->out.ptr;
		z.avail_out = (unsigned)bound;
		r = deflate(&z, Z_FINISH) == Z_STREAM_END ? 0 : -EIO;
		s->out.len = (size_t)z.total_out;
	}
	(void)deflateEnd(&z);
	return r;
}

static int compress_block(struct sealer *s, struct span plain)
{
	int r = s->request->form == SEGMENT_ZSTD && !s->reach_chosen ? choose_reach(s, plain) : 0;
	if (r < 0)
		return r;
	buf_clear(&s->out);
	if (s->request->form == SEGMENT_ZSTD)
		return compress_zstd(s, plain);
	return s->request->level <= ISAL_LEVEL ? compress_isal(s, plain) : compress_zlib(s, plain);
}

static void push(struct sealer *s)
{
	if (s->result.bytes - s->pushed < PUSH_BYTES)
		return;
	/* Only a hint: an error shows at the fsync. */
	(void)sync_file_range(s->request->to, (off_t)s->pushed,
			      (off_t)(s->result.bytes - s->pushed), SYNC_FILE_RANGE_WRITE);
	s->pushed = s->result.bytes;
}

/* The digest is that of `plain`. */
static int finish_block(struct sealer *s, struct span plain)
{
	const struct digest *d = &s->digest;
	struct seal_result *result = &s->result;
	size_t length = plain.len;
	if (plain.len > UINT32_MAX)
		return -EFBIG;
	if (s->request->form != SEGMENT_CLOSED) {
		int r = compress_block(s, plain);
		if (r == 0)
			r = file_write_all(s->request->to, buf_span(&s->out));
		if (r < 0)
			return r;
		length = s->out.len;
	}
	struct seal_block b = {.offset = result->bytes,
			       .length = (uint32_t)length,
			       .plain_length = (uint32_t)plain.len,
			       .digest = d};
	result->bytes += length;
	result->lines += d->lines;
	result->first_us = d->first_us < result->first_us ? d->first_us : result->first_us;
	result->last_us = d->last_us > result->last_us ? d->last_us : result->last_us;
	result->crc = crc64_add(result->crc, plain.ptr, plain.len);
	result->blocks++;
	if (s->request->form != SEGMENT_CLOSED)
		push(s);
	return s->request->block(s->request->user, &b);
}

static int each_piece(void *user, const struct sealed_block *piece)
{
	struct sealer *s = user;
	struct span rest = piece->plain;
	while (rest.len) {
		size_t taken;
		digest_clear(&s->digest);
		int r = digest_take(&s->digest, rest, FILTER_TOKENS_MAX, &taken);
		if (r == 0)
			r = finish_block(s, span_first(rest, taken));
		if (r < 0)
			return r;
		rest = span_from(rest, taken);
	}
	return 0;
}

/* --- the whole --- */

static int prepare(struct sealer *s)
{
	if (s->request->form != SEGMENT_ZSTD)
		return 0;
	size_t e = ZSTD_CCtx_reset(s->zstd, ZSTD_reset_session_and_parameters);
	if (!ZSTD_isError(e))
		e = ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_compressionLevel, s->request->level);
	if (!ZSTD_isError(e))
		e = ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_checksumFlag, 1);
	set_reach(s, false);
	return ZSTD_isError(e) ? -EINVAL : 0;
}

int sealer_run(struct sealer *s, const struct seal_request *request, struct seal_result *ret)
{
	s->request = request;
	s->digest.service = request->service;
	s->digest.host = request->host;
	s->pushed = 0;
	s->reach_chosen = false;
	s->result = (struct seal_result){
		.first_us = INT64_MAX, .last_us = INT64_MIN, .crc = CRC64_EMPTY};
	int r = prepare(s);
	if (r == 0)
		r = sealed_walk(request->from, SEGMENT_CLOSED, request->length, each_piece, s);
	if (r < 0)
		return r;
	if (s->result.first_us > s->result.last_us)
		s->result.first_us = s->result.last_us = 0;
	*ret = s->result;
	return 0;
}
