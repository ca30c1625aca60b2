/* Comparing a file with a ladder: see probe.h; copies.c asks.
 *
 * The file is read once, from the ladder's base to the greatest rung within it; at each rung the
 * running checksum must be the rung's. A file that is no copy is nearly always found out at the
 * first rung, after some hundred bytes. Of a gzip file the length is not known before its end, so
 * all rungs are tried until it ends. */
#include "agent/files/probe.h"

#include "agent/files/sniff.h"
#include "common/crc64.h"
#include "common/file.h"

#include <errno.h>
#include <stdlib.h>

enum { READ_BYTES = 64 * 1024, MAGIC = 16 };

struct probe {
	int fd;
	bool compressed;
	struct zreader *reader; /* of a compressed file */
	uint64_t size;          /* plain: of the file */
	uint64_t at, crc;
	struct rung *rungs;
	size_t n, next;
	struct rung matched; /* offset 0: none yet */
};

int probe_new(int fd, uint64_t size, uint64_t base, const struct rung *rungs, size_t n,
	      struct probe **ret)
{
	char magic[MAGIC];
	ssize_t got = file_pread_full(fd, magic, sizeof(magic), 0);
	if (got < 0)
		return (int)got;
	struct probe *p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	*p = (struct probe){.fd = fd, .size = size, .at = base, .n = n};
	p->rungs = calloc(n ? n : 1, sizeof(*rungs));
	int r = p->rungs ? 0 : -ENOMEM;
	if (r == 0 && sniff_gzip(span_make(magic, (size_t)got)))
		r = probe_open_reader(p);
	if (r < 0) {
		probe_free(p);
		return r;
	}
	if (n)
		memcpy(p->rungs, rungs, n * sizeof(*rungs));
	*ret = p;
	return 0;
}

void probe_free(struct probe *p)
{
	if (!p)
		return;
	zreader_free(p->reader);
	free(p->rungs);
	free(p);
}

struct rung probe_matched(const struct probe *p)
{
	return p->matched;
}

bool probe_is_compressed(const struct probe *p)
{
	return p->compressed;
}

int probe_open_reader(struct probe *p)
{
	p->compressed = true;
	return p->reader ? 0 : zreader_new(p->fd, &p->reader);
}

struct zreader *probe_take_reader(struct probe *p)
{
	struct zreader *z = p->reader;
	p->reader = NULL;
	return z;
}

/* There is nothing behind `at`, or no rung. */
static enum probe_result judge(const struct probe *p)
{
	if (p->reader && p->next < p->n && !zreader_complete(p->reader))
		return PROBE_UNFINISHED;
	/* A shorter copy: rungs lie closer together than that, so it is another file that begins
	 * alike. */
	if (p->next < p->n && p->matched.offset < (p->reader ? p->at : p->size) / 2)
		return PROBE_NO;
	return p->matched.offset ? PROBE_COPY : PROBE_NO;
}

int probe_step(struct probe *p, size_t *budget)
{
	char bytes[READ_BYTES];
	while (p->next < p->n) {
		const struct rung *rung = &p->rungs[p->next];
		uint64_t left = rung->offset - p->at;
		size_t want = left < sizeof(bytes) ? (size_t)left : sizeof(bytes);
		if (!p->reader && rung->offset > p->size)
			break;
		if (*budget < want)
			return PROBE_MORE;
		ssize_t n = p->reader ? zreader_read(p->reader, bytes, want, p->at)
				      : file_pread_full(p->fd, bytes, want, p->at);
		if (n == -EBADMSG)
			return PROBE_NO;
		if (n < 0)
			return (int)n;
		*budget -= (size_t)n;
		p->crc = crc64_add(p->crc, bytes, (size_t)n);
		p->at += (size_t)n;
		if ((size_t)n < want)
			break;
		if (p->at < rung->offset)
			continue;
		if (p->crc != rung->crc)
			return PROBE_NO;
		p->matched = *rung;
		p->next++;
	}
	return (int)judge(p);
}
