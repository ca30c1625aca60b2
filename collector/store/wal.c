/* Writes the WAL: see wal.h.
 *
 * Happy path: the WAL thread puts the records of all that wait into a group, writes it with one pwritev
 * at the end of the file and syncs once.
 *
 * What can go wrong:
 *   the write fails or is short   the file's end does not move; the same group may be written again at
 *                                 the same place. What was written of it is a torn tail until then.
 *   the sync fails                the caller gives up on the whole log (the kernel may have dropped the
 *                                 pages and say success next time)
 *   no next file can be made      the log goes on in the file at hand; it only grows
 *   the mirror cannot be written  it ends there
 *   a crash                       every record of a file is whole but for the tail, which is torn. A file
 *                                 that was prepared and never written to is empty, or has no head yet. */
#include "collector/store/wal.h"

#include "collector/store/io.h"
#include "common/clock.h"
#include "common/crc64.h"
#include "common/file.h"
#include "common/num.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum { PIECES_FIRST = 64 };

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

/* --- files --- */

struct wal_file {
	int fd;
	int mirror; /* -1: it could not be written */
	uint64_t sequence;
	uint64_t end; /* 0: not even the head is written */
	uint64_t mirror_end;
};

static void close_file(struct wal_file *f)
{
	file_close(&f->fd);
	file_close(&f->mirror);
}

/* A file that is written to no more. */
struct old_file {
	uint64_t sequence, last_lsn, size;
};

struct wal {
	int dir;
	char uuid[STORE_UUID_LEN];

	/* the writer's own */
	struct wal_file current; /* fd -1: none yet */
	uint64_t first_lsn;      /* of the current file */
	uint64_t last_lsn;       /* written */
	uint64_t durable_lsn;
	struct iovec *iov;
	size_t iov_capacity;

	pthread_mutex_t lock;     /* guards what follows */
	struct wal_file prepared; /* fd -1: none */
	uint64_t next_sequence;
	struct old_file *old; /* the oldest first */
	size_t n_old, old_capacity;
	uint64_t current_size; /* a copy of current.end */
};

int wal_open(int dir, const char uuid[STORE_UUID_LEN], uint64_t sequence, struct wal **ret)
{
	struct wal *w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->dir = dir;
	memcpy(w->uuid, uuid, STORE_UUID_LEN);
	w->current = w->prepared = (struct wal_file){.fd = -1, .mirror = -1};
	w->next_sequence = sequence;
	(void)pthread_mutex_init(&w->lock, NULL);
	*ret = w;
	return 0;
}

void wal_close(struct wal *w)
{
	if (!w)
		return;
	close_file(&w->current);
	close_file(&w->prepared);
	(void)pthread_mutex_destroy(&w->lock);
	free(w->iov);
	free(w->old);
	free(w);
}

static int make_name(const struct wal *w, enum wal_kind kind, uint64_t sequence)
{
	char name[WAL_NAME_LEN + 1];
	wal_format_name(name, kind, sequence);
	int fd = openat(w->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	return fd < 0 ? -errno : fd;
}

static int remove_name(const struct wal *w, enum wal_kind kind, uint64_t sequence)
{
	char name[WAL_NAME_LEN + 1];
	wal_format_name(name, kind, sequence);
	return unlinkat(w->dir, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

static int make_file(struct wal *w, uint64_t sequence, struct wal_file *ret)
{
	struct wal_file f = {.mirror = make_name(w, WAL_MIRROR, sequence), .sequence = sequence};
	f.fd = make_name(w, WAL_RECORDS, sequence);
	/* A record in a file that a crash takes out of its directory would be durable for nothing. */
	int r = f.fd < 0 ? f.fd : file_sync_dir(w->dir, ".");
	if (r < 0) {
		close_file(&f);
		(void)!remove_name(w, WAL_RECORDS, sequence);
		(void)!remove_name(w, WAL_MIRROR, sequence);
		return r;
	}
	*ret = f;
	return 0;
}

int wal_prepare(struct wal *w)
{
	(void)pthread_mutex_lock(&w->lock);
	bool ready = w->prepared.fd >= 0;
	uint64_t sequence = ready ? 0 : w->next_sequence++;
	(void)pthread_mutex_unlock(&w->lock);
	if (ready)
		return 0;
	struct wal_file file;
	int r = make_file(w, sequence, &file);
	if (r < 0)
		return r;
	(void)pthread_mutex_lock(&w->lock);
	w->prepared = file;
	(void)pthread_mutex_unlock(&w->lock);
	return 0;
}

/* With the lock held. */
static int add_old(struct wal *w, struct old_file f)
{
	if (w->n_old == w->old_capacity) {
		size_t capacity = w->old_capacity ? w->old_capacity * 2 : PIECES_FIRST;
		struct old_file *old = realloc(w->old, capacity * sizeof(*old));
		if (!old)
			return -ENOMEM;
		w->old = old;
		w->old_capacity = capacity;
	}
	w->old[w->n_old++] = f;
	return 0;
}

void wal_switch(struct wal *w, uint64_t first_lsn)
{
	(void)pthread_mutex_lock(&w->lock);
	bool empty = w->current.fd >= 0 && w->current.end == 0;
	struct old_file old = {
		.sequence = w->current.sequence, .last_lsn = w->last_lsn, .size = w->current.end};
	if (w->prepared.fd >= 0 && !empty && (w->current.fd < 0 || add_old(w, old) == 0)) {
		close_file(&w->current);
		w->current = w->prepared;
		w->prepared = (struct wal_file){.fd = -1, .mirror = -1};
		w->current_size = 0;
		w->first_lsn = first_lsn;
	}
	(void)pthread_mutex_unlock(&w->lock);
}

int wal_keep(struct wal *w, uint64_t sequence, uint64_t last_lsn, uint64_t size)
{
	(void)pthread_mutex_lock(&w->lock);
	int r = add_old(
		w, (struct old_file){.sequence = sequence, .last_lsn = last_lsn, .size = size});
	(void)pthread_mutex_unlock(&w->lock);
	return r;
}

int wal_drop(struct wal *w, uint64_t lsn)
{
	int r = 0;
	(void)pthread_mutex_lock(&w->lock);
	size_t n = 0;
	for (; n < w->n_old && w->old[n].last_lsn <= lsn; n++) {
		r = remove_name(w, WAL_RECORDS, w->old[n].sequence);
		if (r == 0)
			r = remove_name(w, WAL_MIRROR, w->old[n].sequence);
		if (r < 0)
			break;
	}
	if (n) {
		w->n_old -= n;
		memmove(w->old, w->old + n, w->n_old * sizeof(*w->old));
	}
	(void)pthread_mutex_unlock(&w->lock);
	return r;
}

uint64_t wal_files(struct wal *w)
{
	(void)pthread_mutex_lock(&w->lock);
	uint64_t n = w->n_old + (w->current_size ? 1 : 0);
	(void)pthread_mutex_unlock(&w->lock);
	return n;
}

uint64_t wal_bytes(struct wal *w)
{
	(void)pthread_mutex_lock(&w->lock);
	uint64_t n = w->current_size;
	for (size_t i = 0; i < w->n_old; i++)
		n += w->old[i].size;
	(void)pthread_mutex_unlock(&w->lock);
	return n;
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

static const char zeros[WAL_ALIGN];

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
	memcpy(h.uuid, w->uuid, STORE_UUID_LEN);
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

int wal_write(struct wal *w, struct wal_group *g)
{
	assert(w->current.fd >= 0);
	if (g->n_pieces == 0)
		return 0;
	int r = reserve_iov(w, 1 + 3 * g->n_pieces);
	if (r < 0)
		return r;
	struct iovec *end = w->iov;
	char file_head[WAL_FILE_HEAD];
	add_file_head(w, w->current.end, file_head, &end);
	int64_t time_us = clock_real_ns() / NUM_US_NS;
	for (size_t i = 0; i < g->n_pieces; i++)
		add_piece(w, g, &g->pieces[i], time_us, &end);

	struct iovec *iov = w->iov;
	size_t n_iov = (size_t)(end - w->iov);
	uint64_t written = 0;
	r = io_pwritev(w->current.fd, &iov, &n_iov, w->current.end, &written);
	if (r < 0)
		return r;
	w->current.end += written;
	w->last_lsn = g->pieces[g->n_pieces - 1].lsn;
	write_mirror(w, g);
	(void)pthread_mutex_lock(&w->lock);
	w->current_size = w->current.end;
	(void)pthread_mutex_unlock(&w->lock);
	return 0;
}

int wal_sync(struct wal *w, uint64_t durable_lsn)
{
	if (fdatasync(w->current.fd) < 0)
		return -errno;
	w->durable_lsn = durable_lsn;
	return 0;
}
