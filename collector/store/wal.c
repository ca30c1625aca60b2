/* Writes the WAL: see wal.h.
 *
 * Happy path: the WAL thread puts the records of all that wait into a group, writes it with one
 * pwritev behind the last one, over blocks that the file has already, and syncs once.
 *
 * What can go wrong:
 *   the write fails or is short   the file's end does not move; the same group may be written again at
 *                                 the same place. What was written of it is a torn tail until then.
 *   the sync fails                the caller gives up on the whole log (the kernel may have dropped the
 *                                 pages and say success next time)
 *   no next file is ready         the log goes on in the file at hand, which grows
 *   the mirror cannot be written  it ends there
 *   a crash                       every record of a file is whole but for the tail, which is torn. What
 *                                 stands behind it is of no meaning. */
#include "collector/store/wal.h"

#include "collector/store/io.h"
#include "common/clock.h"
#include "common/crc64.h"
#include "common/file.h"
#include "common/num.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { PIECES_FIRST = 64 };

/* A file that is full becomes twice as long, or longer by so much. */
#define GROW_MAX (UINT64_C(4) << 20)

/* What is written is filled up to whole blocks, so that no block has to be read for it. */
static const char zeros[WAL_BLOCK + WAL_RECORD_HEAD];

/* --- groups --- */

struct wal_piece {
	size_t at; /* of the record's head in the group's bytes */
	uint32_t meta_len;
	uint8_t type;
	uint64_t lsn;
	struct span body;
	uint64_t body_crc;
};

static int reserve_piece(struct wal_group *g)
{
	if (g->n_pieces < g->capacity)
		return 0;
	size_t capacity = g->capacity ? g->capacity * 2 : PIECES_FIRST;
	struct wal_piece *pieces = realloc(g->pieces, capacity * sizeof(*pieces));
	if (!pieces)
		return -ENOMEM;
	g->pieces = pieces;
	g->capacity = capacity;
	return 0;
}

int wal_group_begin(struct wal_group *g)
{
	int r = reserve_piece(g);
	if (r == 0)
		r = buf_reserve(&g->bytes, WAL_RECORD_HEAD);
	if (r < 0)
		return r;
	g->pieces[g->n_pieces] = (struct wal_piece){.at = g->bytes.len};
	g->bytes.len += WAL_RECORD_HEAD;
	return 0;
}

int wal_group_end(struct wal_group *g, uint8_t type, uint64_t lsn, struct span body,
		  uint64_t body_crc)
{
	struct wal_piece *p = &g->pieces[g->n_pieces];
	size_t meta_len = g->bytes.len - p->at - WAL_RECORD_HEAD;
	if (meta_len > UINT32_MAX || body.len > UINT32_MAX) {
		wal_group_abort(g);
		return -EMSGSIZE;
	}
	p->meta_len = (uint32_t)meta_len;
	p->type = type;
	p->lsn = lsn;
	p->body = body;
	p->body_crc = body_crc;
	struct wal_record_head head = {.meta_len = p->meta_len, .body_len = (uint32_t)body.len};
	g->size += wal_record_size(&head);
	g->n_pieces++;
	return 0;
}

void wal_group_abort(struct wal_group *g)
{
	g->bytes.len = g->pieces[g->n_pieces].at;
}

void wal_group_clear(struct wal_group *g)
{
	buf_clear(&g->bytes);
	g->n_pieces = 0;
	g->size = 0;
}

void wal_group_free(struct wal_group *g)
{
	buf_free(&g->bytes);
	free(g->pieces);
	*g = (struct wal_group){0};
}

/* --- the log --- */

struct wal {
	struct wal_files *files;
	char uuid[UUID_LEN];
	struct wal_file current; /* fd -1: none yet */
	uint64_t first_lsn;      /* of the current file */
	uint64_t last_lsn;       /* written */
	uint64_t durable_lsn;
	bool failed; /* the last write: something of it may stand in the current file */
	struct iovec *iov;
	size_t iov_capacity;
};

int wal_open(struct wal_files *files, const char uuid[UUID_LEN], struct wal **ret)
{
	struct wal *w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->files = files;
	memcpy(w->uuid, uuid, UUID_LEN);
	w->current = (struct wal_file){.fd = -1, .mirror = -1};
	*ret = w;
	return 0;
}

void wal_close(struct wal *w)
{
	if (!w)
		return;
	wal_file_close(&w->current);
	free(w->iov);
	free(w);
}

void wal_switch(struct wal *w, uint64_t first_lsn)
{
	bool empty = w->current.fd >= 0 && w->current.end == 0;
	if (!empty && wal_files_next(w->files, 0, w->last_lsn, &w->current))
		w->first_lsn = first_lsn;
}

/* --- writing --- */

static int reserve_iov(struct wal *w, size_t n)
{
	if (n <= w->iov_capacity)
		return 0;
	struct iovec *iov = realloc(w->iov, n * sizeof(*iov));
	if (!iov)
		return -ENOMEM;
	w->iov = iov;
	w->iov_capacity = n;
	return 0;
}

static void add_iov(struct iovec **at, const char *ptr, size_t len)
{
	if (len)
		*(*at)++ = (struct iovec){.iov_base = (char *)ptr, .iov_len = len};
}

/* The record's head, meta, body and padding. */
static void add_piece(struct wal *w, struct wal_group *g, const struct wal_piece *p,
		      int64_t time_us, struct iovec **at)
{
	char *head = g->bytes.ptr + p->at;
	struct wal_record_head h = {
		.type = p->type,
		.lsn = p->lsn,
		.durable_lsn = w->durable_lsn,
		.time_us = time_us,
		.meta_len = p->meta_len,
		.body_len = (uint32_t)p->body.len,
		.meta_crc = crc64_add(CRC64_EMPTY, head + WAL_RECORD_HEAD, p->meta_len),
		.body_crc = p->body_crc,
	};
	wal_encode_record_head(head, w->current.sequence, &h);
	add_iov(at, head, WAL_RECORD_HEAD + (size_t)p->meta_len);
	add_iov(at, p->body.ptr, p->body.len);
	add_iov(at, zeros,
		(size_t)(wal_record_size(&h) - WAL_RECORD_HEAD - p->meta_len - p->body.len));
}

/* The head of the file, when it is not yet written. */
static void add_file_head(const struct wal *w, uint64_t file_end, char file_head[WAL_FILE_HEAD],
			  struct iovec **at)
{
	if (file_end)
		return;
	struct wal_file_head h = {.sequence = w->current.sequence, .first_lsn = w->first_lsn};
	memcpy(h.uuid, w->uuid, UUID_LEN);
	wal_encode_file_head(file_head, &h);
	add_iov(at, file_head, WAL_FILE_HEAD);
}

/* The same heads and metas again, where damage to the log does not reach. */
static void write_mirror(struct wal *w, const struct wal_group *g)
{
	struct wal_file *f = &w->current;
	if (f->mirror < 0)
		return;
	struct iovec *end = w->iov;
	char file_head[WAL_FILE_HEAD];
	add_file_head(w, f->mirror_end, file_head, &end);
	for (size_t i = 0; i < g->n_pieces; i++) {
		uint64_t size = WAL_RECORD_HEAD + (uint64_t)g->pieces[i].meta_len;
		add_iov(&end, g->bytes.ptr + g->pieces[i].at, (size_t)size);
		add_iov(&end, zeros, (size_t)(wal_aligned(size) - size));
	}
	struct iovec *iov = w->iov;
	size_t n_iov = (size_t)(end - w->iov);
	uint64_t written = 0;
	if (io_pwritev(f->mirror, &iov, &n_iov, f->mirror_end, &written) < 0)
		file_close(&f->mirror);
	f->mirror_end += written;
}

/* Where the zeros behind a record's end have their end. */
static uint64_t filled(uint64_t end)
{
	return (end + WAL_RECORD_HEAD + WAL_BLOCK - 1) / WAL_BLOCK * WAL_BLOCK;
}

static uint64_t size_in(const struct wal_file *f, const struct wal_group *g)
{
	return g->size + (f->end ? 0 : WAL_FILE_HEAD);
}

/* Goes over to the next file when the group does not fit into this one; else it has to grow. After
 * a write that failed it stays where it is: no record may stand in two files. */
static void make_fit(struct wal *w, const struct wal_group *g)
{
	const struct wal_file *f = &w->current;
	uint64_t need = filled(WAL_FILE_HEAD + g->size);
	if (!w->failed && filled(f->end + size_in(f, g)) > f->room &&
	    wal_files_next(w->files, need, w->last_lsn, &w->current))
		w->first_lsn = g->pieces[0].lsn;
}

/* The vector goes behind what is there, and is followed by zeros. */
static int write_behind(struct wal_file *f, struct iovec *iov, struct iovec *end, uint64_t size)
{
	uint64_t to = filled(f->end + size), written = 0;
	add_iov(&end, zeros, (size_t)(to - f->end - size));
	size_t n = (size_t)(end - iov);
	int r = io_pwritev(f->fd, &iov, &n, f->end, &written);
	if (r < 0)
		return r;
	f->end += size;
	if (to > f->room)
		wal_file_grow(f, f->end < GROW_MAX ? f->end : GROW_MAX);
	return 0;
}

int wal_write(struct wal *w, struct wal_group *g)
{
	assert(w->current.fd >= 0);
	if (g->n_pieces == 0)
		return 0;
	int r = reserve_iov(w, 2 + 3 * g->n_pieces);
	if (r < 0)
		return r;
	make_fit(w, g);
	struct iovec *end = w->iov;
	char file_head[WAL_FILE_HEAD];
	add_file_head(w, w->current.end, file_head, &end);
	int64_t time_us = clock_real_ns() / NUM_US_NS;
	for (size_t i = 0; i < g->n_pieces; i++)
		add_piece(w, g, &g->pieces[i], time_us, &end);

	r = write_behind(&w->current, w->iov, end, size_in(&w->current, g));
	w->failed = r < 0;
	if (r < 0)
		return r;
	w->last_lsn = g->pieces[g->n_pieces - 1].lsn;
	write_mirror(w, g);
	wal_files_note(w->files, w->current.end);
	return 0;
}

int wal_sync(struct wal *w, uint64_t durable_lsn)
{
	if (fdatasync(w->current.fd) < 0)
		return -errno;
	w->durable_lsn = durable_lsn;
	return 0;
}
