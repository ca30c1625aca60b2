/* The index of live files, written: see live_indexer.h. Called by the janitor, pass after pass.
 *
 * A part is written behind those that are there, then the head says the new length. Nothing is
 * synced: parts have checksums, and who reads them stops at the first that is not whole. No file is
 * ever cut: a reader may be in the middle of it. What does not fit (another segment's, of lines
 * that are not there any more) is removed, and the next pass begins anew.
 *
 * Only what the ledger has as the segment's length is read, so all that a part speaks of is durable
 * and stays where it is: recovery writes the same bytes to the same places. */
#include "collector/store/live_indexer.h"

#include "collector/store/filter.h"
#include "collector/store/index_format.h"
#include "collector/store/live_index.h"
#include "collector/store/sealed.h"
#include "common/crc64.h"
#include "common/file.h"
#include "common/map.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

/* What one part speaks of, at most: a reader has it in memory. */
#define PART_SPAN (UINT64_C(32) << 20)

enum { PATH_BYTES = sizeof(LIVE_INDEX_DIR) + LIVE_INDEX_NAME_MAX + 1 };

struct known {
	uint64_t inode;
	uint32_t number;
	struct live_reach reach; /* nothing covered: there is no file of parts */
	uint64_t pass;           /* in which it was wanted last */
};

struct live_indexer {
	struct live_indexer_config config;
	struct map known; /* by inode */
	struct digest digest;
	struct part part;
	struct buf record;
	uint64_t pass;
	bool listed; /* what an earlier start has left is known */
};

static bool has_inode(const void *entry, const void *key)
{
	const struct known *k = entry;
	const uint64_t *inode = key;
	return k->inode == *inode;
}

struct live_indexer *live_indexer_new(const struct live_indexer_config *config)
{
	struct live_indexer *x = calloc(1, sizeof(*x));
	if (!x)
		return NULL;
	x->config = *config;
	map_init(&x->known, has_inode);
	return x;
}

void live_indexer_free(struct live_indexer *x)
{
	if (!x)
		return;
	size_t cursor = 0;
	for (struct known *k; (k = map_next(&x->known, &cursor));)
		free(k);
	map_free(&x->known);
	digest_free(&x->digest);
	part_free(&x->part);
	buf_free(&x->record);
	free(x);
}

static void step(const struct live_indexer *x, const char *what)
{
	if (x->config.step)
		x->config.step(x->config.user, what);
}

static void parts_path(uint64_t inode, char ret[PATH_BYTES])
{
	char name[LIVE_INDEX_NAME_MAX];
	live_index_name(name, inode);
	(void)snprintf(ret, PATH_BYTES, LIVE_INDEX_DIR "/%s", name);
}

static int remove_parts(const struct live_indexer *x, uint64_t inode)
{
	char path[PATH_BYTES];
	parts_path(inode, path);
	step(x, "live-remove");
	int r = tree_remove(x->config.tree, path);
	return r == -ENOENT ? 0 : r;
}

/* What is there of it does not count. */
static int forget(const struct live_indexer *x, struct known *k)
{
	k->reach = (struct live_reach){.length = INDEX_PARTS_HEADER, .seam = CRC64_EMPTY};
	return remove_parts(x, k->inode);
}

static struct live_file file_of(const struct segment_row *row)
{
	return (struct live_file){.day = row->day,
				  .service = row->service,
				  .host = row->host,
				  .number = row->number,
				  .inode = row->inode};
}

/* --- what is there --- */

static struct known *add_known(struct live_indexer *x, uint64_t inode)
{
	struct known *k = calloc(1, sizeof(*k));
	if (!k)
		return NULL;
	k->inode = inode;
	if (map_add(&x->known, inode, k) < 0) {
		free(k);
		return NULL;
	}
	return k;
}

/* Everything that has a name there is known, so that it is removed when nobody wants it. */
static int list_files(struct live_indexer *x)
{
	int fd = tree_open_dir(x->config.tree, LIVE_INDEX_DIR);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	DIR *dir = fdopendir(fd);
	if (!dir) {
		file_close(&fd);
		return -ENOMEM;
	}
	int r = 0;
	for (const struct dirent *e; r == 0 && (e = readdir(dir));) {
		uint64_t inode;
		if (live_index_parse_name(span_of(e->d_name), &inode) == 0 &&
		    !map_find(&x->known, inode, &inode) && !add_known(x, inode))
			r = -ENOMEM;
	}
	(void)closedir(dir);
	return r;
}

/* How far the file of parts reaches that an earlier start has left. */
static int learn(struct live_indexer *x, struct known *k, const struct segment_row *row)
{
	char path[PATH_BYTES];
	struct live_file file = file_of(row);
	parts_path(row->inode, path);
	int fd = tree_open_file(x->config.tree, path, O_RDONLY);
	int r = fd < 0 ? fd : live_index_walk(fd, &file, &x->record, NULL, NULL, &k->reach);
	file_close(&fd);
	if (r < 0 && r != -ENOMEM)
		r = forget(x, k);
	if (r == 0)
		k->number = row->number;
	return r;
}

/* -ENOMEM; -errno. */
static int find_known(struct live_indexer *x, const struct segment_row *row, struct known **ret)
{
	struct known *k = map_find(&x->known, row->inode, &row->inode);
	if (!k && !(k = add_known(x, row->inode)))
		return -ENOMEM;
	*ret = k;
	k->pass = x->pass;
	return k->number == row->number ? 0 : learn(x, k, row);
}

/* --- a part --- */

struct reading {
	struct live_indexer *x;
	uint64_t to;
};

static int digest_block(void *user, const struct sealed_block *b)
{
	struct reading *reading = user;
	struct live_indexer *x = reading->x;
	struct span rest = b->plain;
	uint64_t at = b->offset;
	if (x->config.stop(x->config.user))
		return -ECANCELED;
	/* What is not a whole block yet belongs to the next part. */
	if (at + rest.len == reading->to &&
	    (rest.len < SEALED_BLOCK_BYTES / 2 || rest.ptr[rest.len - 1] != '\n'))
		return 0;
	if (rest.len > UINT32_MAX)
		return -EBADMSG;
	while (rest.len) {
		size_t taken;
		digest_clear(&x->digest);
		int r = digest_take(&x->digest, rest, FILTER_TOKENS_MAX, &taken);
		if (r == 0)
			r = part_add(&x->part, at, (uint32_t)taken, (uint32_t)taken, &x->digest);
		if (r < 0)
			return r;
		at += taken;
		rest = span_from(rest, taken);
	}
	return 0;
}

/* Blocks of the live file from k->reach.covered on. -ENODATA: there is none, but the beginning of a
 * line. */
static int make_part(struct live_indexer *x, const struct known *k, const struct segment_row *row,
		     int fd)
{
	struct reading reading = {.x = x, .to = row->length};
	if (reading.to - k->reach.covered > PART_SPAN)
		reading.to = k->reach.covered + PART_SPAN;
	part_clear(&x->part);
	x->digest.service = row->service;
	x->digest.host = row->host;
	int r = sealed_walk_plain(fd, k->reach.covered, reading.to, digest_block, &reading);
	struct part_segment *s = &x->part.segment;
	/* A part that is full speaks of fewer. */
	if (r < 0 && !(r == -ENOSPC && s->n_blocks))
		return r;
	if (s->n_blocks == 0)
		return -ENODATA;
	uint32_t n = s->n_blocks;
	uint64_t end = x->part.blocks[n - 1].offset + x->part.blocks[n - 1].length;
	*s = (struct part_segment){.day = row->day,
				   .service = row->service,
				   .host = row->host,
				   .number = row->number,
				   .form = SEGMENT_CLOSED,
				   .size = end,
				   .plain_bytes = end,
				   .blocks = k->reach.blocks + n,
				   .first_block = k->reach.blocks,
				   .n_blocks = n};
	for (uint32_t i = 0; i < n; i++)
		s->lines += x->part.blocks[i].lines;
	return live_index_seam(fd, end, &s->plain_crc);
}

static int write_part(struct live_indexer *x, struct known *k)
{
	char path[PATH_BYTES], header[INDEX_PARTS_HEADER];
	bool first = k->reach.covered == 0;
	buf_clear(&x->record);
	int r = part_encode(&x->part, &x->record);
	if (r < 0)
		return r;
	parts_path(k->inode, path);
	step(x, "live-write");
	int fd = tree_open_file(x->config.tree, path, first ? O_RDWR | O_CREAT : O_RDWR);
	if (fd < 0)
		return fd;
	const struct part_segment *s = &x->part.segment;
	struct live_reach reach = {.covered = s->size,
				   .blocks = s->first_block + s->n_blocks,
				   .length = k->reach.length + x->record.len,
				   .seam = s->plain_crc};
	index_parts_header(header, reach.length);
	r = file_pwrite_all(fd, buf_span(&x->record), k->reach.length);
	step(x, "live-length");
	if (r == 0)
		r = file_pwrite_all(fd, span_make(header, sizeof(header)), 0);
	file_close(&fd);
	if (r == 0)
		k->reach = reach;
	return r;
}

/* Is what is covered still what stands there? */
static int check_seam(const struct live_indexer *x, struct known *k, int fd)
{
	uint64_t seam;
	int r = live_index_seam(fd, k->reach.covered, &seam);
	return r == -EBADMSG || (r == 0 && seam != k->reach.seam) ? forget(x, k) : r;
}

static int add_parts(struct live_indexer *x, struct known *k, const struct segment_row *row, int fd)
{
	int r = check_seam(x, k, fd);
	while (r == 0 && row->length >= k->reach.covered + LIVE_INDEX_STEP) {
		r = make_part(x, k, row, fd);
		if (r == 0)
			r = write_part(x, k);
	}
	return r;
}

static int extend(struct live_indexer *x, struct known *k, const struct segment_row *row)
{
	char path[SEGMENT_PATH_MAX];
	struct stat st;
	struct segment_name name = {
		.day = row->day, .service = row->service, .host = row->host, .form = SEGMENT_LIVE};
	if (row->length < LIVE_INDEX_MIN || row->length < k->reach.covered + LIVE_INDEX_STEP)
		return 0;
	(void)segment_name_path(path, &name);
	int fd = tree_open_file(x->config.tree, path, O_RDONLY);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	/* Somebody else has been at it: whoever appends will see. */
	bool ours = fstat(fd, &st) == 0 && st.st_ino == row->inode &&
		    (uint64_t)st.st_size >= row->length;
	int r = ours ? add_parts(x, k, row, fd) : 0;
	file_close(&fd);
	if (r == 0 || r == -ECANCELED)
		return r;
	if (r == -ENODATA)
		return 0;
	/* It is cut just now, or its parts are gone or cannot be written. */
	int f = forget(x, k);
	return r == -EBADMSG || r == -ENOENT ? f : r;
}

/* --- a pass --- */

static int sweep(struct live_indexer *x)
{
	size_t cursor = 0;
	int worst = 0;
	for (struct known *k; (k = map_next(&x->known, &cursor));) {
		if (k->pass == x->pass)
			continue;
		int r = remove_parts(x, k->inode);
		worst = r < 0 ? r : worst;
		map_remove_at(&x->known, &cursor);
		free(k);
	}
	return worst;
}

static int look_at(struct live_indexer *x, const struct segment_row *row, bool keep)
{
	struct known *k;
	bool live = row->state == SEGMENT_STATE_LIVE;
	if (!live && row->state != SEGMENT_STATE_CLOSED)
		return 0;
	/* Of one that was never large there is nothing to know. */
	if (row->length < LIVE_INDEX_MIN)
		return 0;
	int r = find_known(x, row, &k);
	return r < 0 || !live || keep ? r : extend(x, k, row);
}

int live_indexer_pass(struct live_indexer *x, const struct segment_row *rows, size_t n, bool keep)
{
	int r = 0, worst = 0;
	x->pass++;
	if (!x->listed) {
		r = list_files(x);
		if (r < 0)
			return r;
		x->listed = true;
	}
	for (size_t i = 0; i < n && r != -ECANCELED && r != -ENOSPC; i++) {
		r = look_at(x, &rows[i], keep);
		worst = r < 0 ? r : worst;
	}
	/* What was not looked at is not unwanted. */
	if (r == -ECANCELED || r == -ENOSPC)
		return r;
	r = sweep(x);
	return r < 0 ? r : worst;
}

int live_indexer_reset(struct live_indexer *x)
{
	int r = list_files(x);
	x->pass++;
	return r < 0 ? r : sweep(x);
}

uint64_t live_indexer_covered(const struct live_indexer *x)
{
	uint64_t covered = 0;
	size_t cursor = 0;
	for (const struct known *k; (k = map_next(&x->known, &cursor));)
		covered += k->reach.covered;
	return covered;
}
