/* One way to read any segment: see reader.h. The forms have a file each; here they meet. Called by
 * the search's threads and by what looks around a line. */
#include "collector/query/reader.h"

#include "collector/query/gzipfile.h"
#include "collector/query/plainfile.h"
#include "collector/query/zstdfile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct reader {
	enum segment_form form;
	struct piece piece;
	struct plainfile plain;
	struct zstdfile *zstd; /* NULL until needed */
	struct gzipfile *gzip;
};

struct reader *reader_new(void)
{
	return calloc(1, sizeof(struct reader));
}

void reader_free(struct reader *r)
{
	if (!r)
		return;
	plainfile_free(&r->plain);
	zstdfile_free(r->zstd);
	gzipfile_free(r->gzip);
	free(r);
}

int reader_start(struct reader *r, enum segment_form form, int fd, uint64_t size,
		 struct piece piece)
{
	r->form = form;
	r->piece = piece;
	switch (form) {
	case SEGMENT_LIVE:
	case SEGMENT_CLOSED:
		plainfile_start(&r->plain, fd, size, piece.from, piece.to, form == SEGMENT_LIVE);
		return 0;
	case SEGMENT_ZSTD:
		if (!r->zstd && !(r->zstd = zstdfile_new()))
			return -ENOMEM;
		zstdfile_start(r->zstd, fd, size, piece.from, piece.to);
		return 0;
	case SEGMENT_GZIP:
		if (!r->gzip && !(r->gzip = gzipfile_new()))
			return -ENOMEM;
		gzipfile_start(r->gzip, fd, size, piece.from, piece.to);
		return 0;
	}
	return -EINVAL;
}

void reader_pass(struct reader *r, const struct finder *strings)
{
	switch (r->form) {
	case SEGMENT_LIVE:
	case SEGMENT_CLOSED: plainfile_pass(&r->plain, strings); break;
	case SEGMENT_ZSTD:
	case SEGMENT_GZIP: break;
	}
}

static int next(struct reader *r, struct window *ret)
{
	switch (r->form) {
	case SEGMENT_LIVE:
	case SEGMENT_CLOSED: return plainfile_next(&r->plain, ret);
	case SEGMENT_ZSTD: return zstdfile_next(r->zstd, ret);
	case SEGMENT_GZIP: return gzipfile_next(r->gzip, ret);
	}
	return -EINVAL;
}

int reader_next(struct reader *r, struct window *ret)
{
	uint64_t at;
	ret->at.segment = r->piece.segment;
	int result = next(r, ret);
	/* A file system says the same when its own checksums are wrong, and would say so for
	 * ever. */
	return result == -EBADMSG && !reader_error(r, &at) ? -EIO : result;
}

const char *reader_error(const struct reader *r, uint64_t *ret_at)
{
	switch (r->form) {
	case SEGMENT_LIVE:
	case SEGMENT_CLOSED: break;
	case SEGMENT_ZSTD: return zstdfile_error(r->zstd, ret_at);
	case SEGMENT_GZIP: return gzipfile_error(r->gzip, ret_at);
	}
	return NULL;
}

void reader_tell(const struct reader *r, struct trouble *trouble, const char *path, int error)
{
	uint64_t at;
	const char *why = error == -EBADMSG ? reader_error(r, &at) : NULL;
	if (why)
		trouble_tell(trouble,
			     "%s: damaged at byte %" PRIu64 ": %s; what cannot be read is left out",
			     path, at, why);
	else
		trouble_tell(trouble, "%s: %s; what cannot be read is left out", path,
			     strerror(-error));
}
