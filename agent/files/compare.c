/* Comparing a file with checksums: see compare.h. Called by verify.
 *
 * The file is read once, whatever the number of points: one running checksum for each base, and the
 * reading halts where one begins or a point lies. */
#include "agent/files/compare.h"

#include "agent/files/sniff.h"
#include "agent/files/zreader.h"
#include "common/crc64.h"
#include "common/file.h"

#include <errno.h>
#include <stdlib.h>

enum { READ_BYTES = 256 * 1024, MAGIC = 16 };

struct base {
	uint64_t at, crc;
};

struct comparing {
	int fd;
	struct zreader *reader; /* of a compressed file */
	struct compare_point *points;
	size_t n, next;
	struct base bases[COMPARE_BASES_MAX];
	size_t n_bases;
	uint64_t at;
	struct compare_result result;
};

static int by_offset(const void *a, const void *b)
{
	const struct compare_point *x = a, *y = b;
	return (x->offset > y->offset) - (x->offset < y->offset);
}

static struct base *base_at(struct comparing *c, uint64_t at)
{
	for (size_t i = 0; i < c->n_bases; i++)
		if (c->bases[i].at == at)
			return &c->bases[i];
	return NULL;
}

static void gather_bases(struct comparing *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->n_bases < COMPARE_BASES_MAX && !base_at(c, c->points[i].base))
			c->bases[c->n_bases++] =
				(struct base){.at = c->points[i].base, .crc = CRC64_EMPTY};
}

/* All points that lie here. */
static void judge(struct comparing *c)
{
	for (; c->next < c->n && c->points[c->next].offset == c->at; c->next++) {
		struct compare_point *p = &c->points[c->next];
		const struct base *b = base_at(c, p->base);
		if (!b || p->base > p->offset)
			continue;
		p->reached = true;
		p->found = b->crc;
		p->equal = b->crc == p->crc;
	}
}

/* Where to halt next, at `limit` at the latest. */
static uint64_t next_halt(const struct comparing *c, uint64_t limit)
{
	if (c->next < c->n && c->points[c->next].offset < limit)
		limit = c->points[c->next].offset;
	for (size_t i = 0; i < c->n_bases; i++)
		if (c->bases[i].at > c->at && c->bases[i].at < limit)
			limit = c->bases[i].at;
	return limit;
}

static void take(struct comparing *c, struct span bytes)
{
	const char *lf = bytes.len ? memrchr(bytes.ptr, '\n', bytes.len) : NULL;
	c->result.unfinished =
		lf ? (uint64_t)(bytes.ptr + bytes.len - lf - 1) : c->result.unfinished + bytes.len;
	while (bytes.len) {
		size_t len = (size_t)(next_halt(c, c->at + bytes.len) - c->at);
		for (size_t i = 0; i < c->n_bases; i++)
			if (c->bases[i].at <= c->at)
				c->bases[i].crc = crc64_add(c->bases[i].crc, bytes.ptr, len);
		c->at += len;
		bytes = span_from(bytes, len);
		judge(c);
	}
}

static int read_all(struct comparing *c)
{
	char *bytes = malloc(READ_BYTES);
	ssize_t n = bytes ? READ_BYTES : -ENOMEM;
	judge(c);
	while (n > 0) {
		n = c->reader ? zreader_read(c->reader, bytes, READ_BYTES, c->at)
			      : file_pread_full(c->fd, bytes, READ_BYTES, c->at);
		if (n > 0)
			take(c, span_make(bytes, (size_t)n));
	}
	free(bytes);
	return (int)n;
}

int compare_file(int fd, struct compare_point *points, size_t n, struct compare_result *ret)
{
	char magic[MAGIC];
	struct comparing c = {.fd = fd, .points = points, .n = n};
	ssize_t got = file_pread_full(fd, magic, sizeof(magic), 0);
	int r = got < 0 ? (int)got : 0;
	if (r == 0 && sniff_gzip(span_make(magic, (size_t)got)))
		r = zreader_new(fd, &c.reader);
	if (r < 0)
		return r;
	if (n)
		qsort(points, n, sizeof(*points), by_offset);
	gather_bases(&c);
	r = read_all(&c);
	if (r == 0 && c.reader && !zreader_complete(c.reader))
		r = -EBADMSG;
	c.result.compressed = c.reader != NULL;
	c.result.size = c.at;
	zreader_free(c.reader);
	*ret = c.result;
	return r;
}
