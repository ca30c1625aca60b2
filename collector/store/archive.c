/* From a closed segment to its end: see archive.h. Called by the janitor.
 *
 * The plain file goes last, when the sealed one is on disk under its name, was read back whole and the
 * ledger says so. Until then a crash leaves the plain one as it was, and sealing begins anew; the one
 * temporary file has one name, so nothing is ever left over. The index is in nobody's way: when it
 * cannot be written the segment is sealed all the same.
 *
 * What the next start may find:
 *   closed, plain file                        sealing was not begun or not ended: it begins anew
 *   closed, sealed file only                  the ledger was lost behind it: checked and adopted
 *   sealed, both files                        the plain one goes
 *   deleted                                   deleting was not ended: it ends
 *   closed or sealed, no file                 somebody took it: said aloud, gone */
#include "collector/store/archive.h"

#include "collector/store/blocked.h"
#include "collector/store/index_format.h"
#include "collector/store/indexer.h"
#include "collector/store/seal.h"
#include "collector/store/sealed.h"
#include "common/file.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define TEMPORARY TREE_HAUL "/sealing.tmp"

struct archive {
	struct archive_config config;
	const struct tree *tree;
	struct sealer *sealer;
	struct indexer *indexer;
	struct digest digest;
	struct part *parts; /* of the segment at hand */
	size_t n_parts, parts_capacity;
};

static void step(const struct archive *a, const char *what)
{
	if (a->config.step)
		a->config.step(a->config.user, what);
}

static int stopped(void *user)
{
	const struct archive *a = user;
	return a->config.stop(a->config.user) ? -ECANCELED : 0;
}

static void row_path(const struct segment_row *row, enum segment_form form,
		     char ret[SEGMENT_PATH_MAX])
{
	struct segment_name name = {.day = row->day,
				    .service = row->service,
				    .host = row->host,
				    .number = row->number,
				    .form = form};
	(void)segment_name_path(ret, &name);
}

/* The file's size, -ENOENT also when it is none of ours. */
static int look_form(const struct tree *t, const struct segment_row *row, enum segment_form form,
		     uint64_t *ret_bytes)
{
	char path[SEGMENT_PATH_MAX];
	struct stat st;
	row_path(row, form, path);
	int r = tree_stat(t, path, &st);
	if (r < 0)
		return r == -ENOTDIR ? -ENOENT : r;
	if (!S_ISREG(st.st_mode))
		return -ENOENT;
	*ret_bytes = (uint64_t)st.st_size;
	return 0;
}

static int look_compressed(const struct tree *t, const struct segment_row *row,
			   enum segment_form *ret_form, uint64_t *ret_bytes)
{
	int r = look_form(t, row, SEGMENT_ZSTD, ret_bytes);
	*ret_form = SEGMENT_ZSTD;
	if (r == -ENOENT) {
		r = look_form(t, row, SEGMENT_GZIP, ret_bytes);
		*ret_form = SEGMENT_GZIP;
	}
	return r;
}

int archive_look(const struct tree *t, const struct segment_row *row, enum segment_form *ret_form,
		 uint64_t *ret_bytes)
{
	int r = look_compressed(t, row, ret_form, ret_bytes);
	if (r == -ENOENT) {
		r = look_form(t, row, SEGMENT_CLOSED, ret_bytes);
		*ret_form = SEGMENT_CLOSED;
	}
	return r;
}

/* --- opening --- */

static bool is_alive(void *user, const struct part_segment *s)
{
	const struct archive *a = user;
	struct segment_row row = {
		.day = s->day, .service = s->service, .host = s->host, .number = s->number};
	uint64_t bytes;
	return look_form(a->tree, &row, s->form, &bytes) == 0 && bytes == s->size;
}

static void index_step(void *user, const char *what)
{
	step(user, what);
}

int archive_open(const struct archive_config *config, struct archive **ret)
{
	struct archive *a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->config = *config;
	a->tree = store_tree(config->store);
	a->sealer = sealer_new();
	struct indexer_config index = {
		.tree = a->tree, .alive = is_alive, .step = index_step, .user = a};
	int r = a->sealer ? indexer_open(&index, &a->indexer) : -ENOMEM;
	if (r == 0)
		r = tree_remove(a->tree, TEMPORARY);
	if (r < 0 && r != -ENOENT) {
		archive_free(a);
		return r;
	}
	*ret = a;
	return 0;
}

static void free_parts(struct archive *a)
{
	for (size_t i = 0; i < a->n_parts; i++)
		part_free(&a->parts[i]);
	a->n_parts = 0;
}

void archive_free(struct archive *a)
{
	if (!a)
		return;
	free_parts(a);
	free(a->parts);
	digest_free(&a->digest);
	sealer_free(a->sealer);
	indexer_free(a->indexer);
	free(a);
}

/* --- the index of one segment --- */

/* An empty part more. NULL: no memory. */
static struct part *next_part(struct archive *a)
{
	if (!a->parts || a->n_parts == a->parts_capacity) {
		size_t capacity = a->parts_capacity ? a->parts_capacity * 2 : 4;
		struct part *parts = realloc(a->parts, capacity * sizeof(*parts));
		if (!parts)
			return NULL;
		a->parts = parts;
		a->parts_capacity = capacity;
	}
	struct part *p = &a->parts[a->n_parts++];
	*p = (struct part){0};
	return p;
}

static int add_block(struct archive *a, uint64_t offset, uint32_t length, uint32_t plain_length,
		     const struct digest *digest)
{
	struct part *last = a->n_parts ? &a->parts[a->n_parts - 1] : NULL;
	if (!last || last->segment.n_blocks == PART_BLOCKS_MAX)
		last = next_part(a);
	return last ? part_add(last, offset, length, plain_length, digest) : -ENOMEM;
}

static int put_parts(struct archive *a, const struct part_segment *segment, const char *class)
{
	uint32_t first = 0;
	int r = 0;
	for (size_t i = 0; i < a->n_parts && r == 0; i++) {
		uint32_t n = a->parts[i].segment.n_blocks;
		a->parts[i].segment = *segment;
		a->parts[i].segment.first_block = first;
		a->parts[i].segment.n_blocks = n;
		first += n;
		r = indexer_add(a->indexer, class, &a->parts[i]);
	}
	free_parts(a);
	return r;
}

static uint32_t count_blocks(const struct archive *a)
{
	return a->n_parts ? (uint32_t)(a->n_parts - 1) * PART_BLOCKS_MAX +
				    a->parts[a->n_parts - 1].segment.n_blocks
			  : 0;
}

struct reading {
	struct archive *a;
	uint64_t plain_bytes, lines;
};

static int digest_block(void *user, const struct sealed_block *b)
{
	struct reading *reading = user;
	struct archive *a = reading->a;
	size_t taken;
	digest_clear(&a->digest);
	if (b->length > UINT32_MAX || b->plain.len > UINT32_MAX)
		return -EFBIG;
	int r = digest_take(&a->digest, b->plain, 0, &taken);
	if (r == 0)
		r = add_block(a, b->offset, (uint32_t)b->length, (uint32_t)b->plain.len,
			      &a->digest);
	reading->plain_bytes += b->plain.len;
	reading->lines += a->digest.lines;
	return r < 0 ? r : stopped(a);
}

static struct part_segment part_segment(const struct archive *a, const struct segment_row *row)
{
	return (struct part_segment){.day = row->day,
				     .service = row->service,
				     .host = row->host,
				     .number = row->number,
				     .blocks = count_blocks(a)};
}

int archive_index(struct archive *a, const struct segment_row *row, const char *class)
{
	char path[SEGMENT_PATH_MAX];
	enum segment_form form;
	uint64_t bytes;
	struct reading reading = {.a = a};
	int r = archive_look(a->tree, row, &form, &bytes);
	if (r < 0)
		return r;
	row_path(row, form, path);
	int fd = tree_open_file(a->tree, path, O_RDONLY);
	if (fd < 0)
		return fd;
	free_parts(a);
	a->digest.service = row->service;
	a->digest.host = row->host;
	r = sealed_walk(fd, form, bytes, digest_block, &reading);
	file_close(&fd);
	if (r < 0) {
		free_parts(a);
		return r;
	}
	struct part_segment segment = part_segment(a, row);
	segment.form = form;
	segment.size = bytes;
	segment.plain_bytes = reading.plain_bytes;
	segment.plain_crc = row->crc;
	segment.lines = reading.lines;
	return put_parts(a, &segment, class);
}

/* --- sealing --- */

struct sealing {
	struct archive *a;
	const struct segment_row *row;
	const struct archive_terms *terms;
	int from, to;
	uint64_t size; /* of the plain file */
	struct seal_result result;
	char plain[SEGMENT_PATH_MAX], sealed[SEGMENT_PATH_MAX], dir[SEGMENT_PATH_MAX];
};

static int each_block(void *user, const struct seal_block *b)
{
	struct archive *a = user;
	int r = add_block(a, b->offset, b->length, b->plain_length, b->digest);
	return r < 0 ? r : stopped(a);
}

/* Reads back what was written: only then may the plain file go. */
static int compare(const struct sealing *s)
{
	uint64_t bytes, crc;
	int r = sealed_sum(s->to, s->terms->form, s->result.bytes, stopped, s->a, &bytes, &crc);
	if (r == 0 && (bytes != s->size || crc != s->result.crc))
		r = -EBADMSG;
	if (r == -EBADMSG)
		log_error("%s: what was written is not what is read back; it stays as it is",
			  s->sealed);
	return r;
}

static int write_sealed(struct sealing *s)
{
	struct seal_request request = {.from = s->from,
				       .length = s->size,
				       .to = s->to,
				       .form = s->terms->form,
				       .level = s->terms->level,
				       .service = s->row->service,
				       .host = s->row->host,
				       .block = each_block,
				       .user = s->a};
	int r = sealer_run(s->a->sealer, &request, &s->result);
	if (r < 0 || s->terms->form == SEGMENT_CLOSED)
		return r;
	if (fsync(s->to) < 0)
		return -errno;
	return compare(s);
}

/* A file that has the sealed name already: of an earlier try, then it holds the same, and is replaced;
 * anything else is never written over. -EEXIST. */
static int look_in_the_way(const struct sealing *s)
{
	uint64_t size, bytes, crc;
	int r = look_form(s->a->tree, s->row, s->terms->form, &size);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	int fd = tree_open_file(s->a->tree, s->sealed, O_RDONLY);
	if (fd < 0)
		return fd;
	r = sealed_sum(fd, s->terms->form, size, stopped, s->a, &bytes, &crc);
	file_close(&fd);
	if (r < 0 && r != -EBADMSG && r != -EFBIG)
		return r;
	return r == 0 && bytes == s->size && crc == s->result.crc ? 0 : -EEXIST;
}

static int place_sealed(struct sealing *s)
{
	int e = look_in_the_way(s);
	if (e < 0)
		return e;
	step(s->a, "seal-rename");
	int r = tree_move(s->a->tree, TEMPORARY, s->sealed);
	return r < 0 ? r : tree_sync_dir(s->a->tree, s->dir);
}

static void tell_differences(const struct sealing *s)
{
	const struct segment_row *row = s->row;
	if (s->size != row->length)
		log_error("%s: has %llu bytes where the ledger has %llu; sealed as it is", s->plain,
			  (unsigned long long)s->size, (unsigned long long)row->length);
	else if (row->crc_known && s->result.crc != row->crc)
		log_error("%s: its bytes are not those that were written; sealed as it is",
			  s->plain);
}

static void index_sealed(struct sealing *s)
{
	struct part_segment segment = part_segment(s->a, s->row);
	segment.form = s->terms->form;
	segment.size = s->result.bytes;
	segment.plain_bytes = s->size;
	segment.plain_crc = s->result.crc;
	segment.lines = s->result.lines;
	step(s->a, "seal-index");
	int r = put_parts(s->a, &segment, s->terms->class);
	if (r < 0)
		log_warning("%s: not indexed: %s; searches read all of it", s->sealed,
			    strerror(-r));
}

static int settle_row(struct sealing *s)
{
	struct segment_row row = *s->row;
	row.state = SEGMENT_STATE_SEALED;
	if (!row.crc_known) {
		row.length = s->size;
		row.lines = s->result.lines;
		row.first_us = s->result.first_us;
		row.last_us = s->result.last_us;
		row.crc = s->result.crc;
		row.crc_known = true;
	}
	step(s->a, "seal-ledger");
	return store_put_segments(s->a->config.store, &row, 1);
}

static int remove_plain(const struct archive *a, const char *plain, const char *dir)
{
	step(a, "seal-remove");
	int r = tree_remove(a->tree, plain);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : tree_sync_dir(a->tree, dir);
}

static int seal_plain(struct sealing *s)
{
	bool stays = s->terms->form == SEGMENT_CLOSED;
	free_parts(s->a);
	step(s->a, "seal-write");
	s->to = stays ? -1 : tree_open_file(s->a->tree, TEMPORARY, O_RDWR | O_CREAT | O_TRUNC);
	int r = s->to < 0 && !stays ? s->to : write_sealed(s);
	file_close(&s->to);
	if (r == 0 && !stays)
		r = place_sealed(s);
	if (r < 0) {
		free_parts(s->a);
		if (!stays && tree_remove(s->a->tree, TEMPORARY) < 0)
			log_debug("%s: nothing to remove", TEMPORARY);
		return r;
	}
	tell_differences(s);
	index_sealed(s);
	r = settle_row(s);
	return r < 0 || stays ? r : remove_plain(s->a, s->plain, s->dir);
}

/* Only the sealed file is there: the ledger does not know yet, or not any more. */
static int adopt(struct archive *a, const struct segment_row *row, const char *class,
		 enum segment_form form, uint64_t size)
{
	char path[SEGMENT_PATH_MAX];
	uint64_t bytes = 0, crc = 0;
	row_path(row, form, path);
	int fd = tree_open_file(a->tree, path, O_RDONLY);
	if (fd < 0)
		return fd;
	int r = sealed_sum(fd, form, size, stopped, a, &bytes, &crc);
	file_close(&fd);
	if (r < 0 && r != -EBADMSG && r != -EFBIG)
		return r;
	struct segment_row sealed = *row;
	sealed.state = SEGMENT_STATE_SEALED;
	if (r < 0 || (row->crc_known && (bytes != row->length || crc != row->crc))) {
		log_error("%s: damaged; haul verify says what is missing", path);
	} else {
		r = archive_index(a, row, class);
		if (r < 0)
			log_warning("%s: not indexed: %s", path, strerror(-r));
		if (!row->crc_known) {
			sealed.length = bytes;
			sealed.crc = crc;
		}
	}
	return store_put_segments(a->config.store, &sealed, 1);
}

static int say_gone(struct archive *a, const struct segment_row *row)
{
	char path[SEGMENT_PATH_MAX];
	struct segment_row gone = *row;
	struct blocked_place place;
	if (blocked_dir(a->tree, row->day, row->service, &place))
		return place.error; /* nobody can see what is there */
	gone.state = SEGMENT_STATE_GONE;
	row_path(row, SEGMENT_CLOSED, path);
	log_error("%s: somebody has removed it; its %llu lines are gone", path,
		  (unsigned long long)row->lines);
	return store_put_segments(a->config.store, &gone, 1);
}

/* Two files for one segment, and they differ: nothing is thrown away. The next pass finds the sealed one. */
static int set_plain_aside(const struct sealing *s)
{
	char aside[TREE_PATH_MAX];
	int r = tree_set_aside(s->a->tree, s->plain, strrchr(s->plain, '/') + 1, aside);
	if (r == 0)
		log_error("%s: there is %s already, which holds other lines; moved to %s", s->plain,
			  s->sealed, aside);
	return r < 0 ? r : -EEXIST;
}

int archive_seal(struct archive *a, const struct segment_row *row,
		 const struct archive_terms *terms, struct archive_result *ret)
{
	struct sealing s = {.a = a, .row = row, .terms = terms};
	enum segment_form form;
	uint64_t bytes;
	row_path(row, SEGMENT_CLOSED, s.plain);
	row_path(row, terms->form, s.sealed);
	(void)segment_name_dir(s.dir, row->day, row->service);
	int r = look_form(a->tree, row, SEGMENT_CLOSED, &s.size);
	if (r == -ENOENT) {
		*ret = (struct archive_result){0};
		r = look_compressed(a->tree, row, &form, &bytes);
		return r == 0         ? adopt(a, row, terms->class, form, bytes)
		       : r == -ENOENT ? say_gone(a, row)
				      : r;
	}
	if (r < 0)
		return r;
	s.from = tree_open_file(a->tree, s.plain, O_RDONLY);
	if (s.from < 0)
		return s.from;
	r = seal_plain(&s);
	file_close(&s.from);
	if (r == -EEXIST)
		return set_plain_aside(&s);
	if (r == 0)
		*ret = (struct archive_result){.plain_bytes = s.size, .bytes = s.result.bytes};
	return r;
}

/* --- looking after --- */

static int finish_removal(struct archive *a, const struct segment_row *row);

int archive_check(struct archive *a, const struct segment_row *row, uint64_t *ret_bytes)
{
	enum segment_form form;
	uint64_t plain;
	*ret_bytes = 0;
	if (row->state == SEGMENT_STATE_DELETED)
		return finish_removal(a, row);
	if (row->state == SEGMENT_STATE_GONE)
		return 0;
	int r = look_compressed(a->tree, row, &form, ret_bytes);
	int p = look_form(a->tree, row, SEGMENT_CLOSED, &plain);
	if (r == 0 && p == 0) {
		char path[SEGMENT_PATH_MAX], dir[SEGMENT_PATH_MAX];
		row_path(row, SEGMENT_CLOSED, path);
		(void)segment_name_dir(dir, row->day, row->service);
		return remove_plain(a, path, dir);
	}
	if (r == -ENOENT && p == 0)
		*ret_bytes = plain;
	else if (r == -ENOENT && p == -ENOENT)
		return say_gone(a, row);
	return r == -ENOENT ? p : r;
}

/* --- deleting --- */

static int remove_files(struct archive *a, const struct segment_row *row)
{
	static const enum segment_form forms[] = {SEGMENT_ZSTD, SEGMENT_GZIP, SEGMENT_CLOSED};
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		char path[SEGMENT_PATH_MAX];
		row_path(row, forms[i], path);
		int r = tree_remove(a->tree, path);
		/* Behind a link or a file in the place of its directory there is nothing of ours. */
		if (r < 0 && r != -ENOENT && r != -ELOOP && r != -ENOTDIR)
			return r;
	}
	return 0;
}

/* A name that came back after a power cut would be a file that the ledger has forgotten. */
static int sync_removal(const struct archive *a, const struct segment_row *row)
{
	char dir[SEGMENT_PATH_MAX];
	(void)segment_name_dir(dir, row->day, row->service);
	int r = tree_sync_dir(a->tree, dir);
	return r == -ENOENT || r == -ELOOP || r == -ENOTDIR ? 0 : r;
}

static bool same_directory(const struct segment_row *x, const struct segment_row *y)
{
	return x->day == y->day && span_equal(x->service, y->service);
}

/* Directories that have become empty go; whether they have is for the file system to say. */
static void remove_directories(struct archive *a, const struct segment_row *row)
{
	char dir[SEGMENT_PATH_MAX];
	(void)segment_name_dir(dir, row->day, row->service);
	int r = tree_remove_dir(a->tree, dir);
	if (r < 0)
		return;
	*strchr(dir, '/') = '\0';
	if (tree_remove_dir(a->tree, dir) == 0)
		log_debug("%s: removed", dir);
}

static int finish_removal(struct archive *a, const struct segment_row *row)
{
	char day[CIVIL_DAY_LEN + 1] = "";
	enum segment_form form;
	uint64_t bytes = 0;
	bool there = archive_look(a->tree, row, &form, &bytes) == 0;
	int r = remove_files(a, row);
	if (r == 0)
		r = sync_removal(a, row);
	if (r == 0)
		r = store_remove_segments(a->config.store, row, 1);
	if (r < 0)
		return r;
	civil_format_day(day, row->day);
	if (there)
		log_deed("retention: %s of %.*s is deleted: %llu bytes in 1 segment, as was begun",
			 day, (int)row->service.len, row->service.ptr, (unsigned long long)bytes);
	remove_directories(a, row);
	return 0;
}

/* There is no room to write down what is going to go: then a file goes first, which makes some. A crash in
 * between leaves a segment that seems to be taken away by somebody. */
static int remove_unmarked(struct archive *a, const struct segment_row *row,
			   const struct segment_row *rows, size_t n)
{
	step(a, "remove-unmarked");
	if (remove_files(a, row) < 0 || sync_removal(a, row) < 0)
		return -ENOSPC; /* another one, then */
	return store_put_segments(a->config.store, rows, n);
}

/* A file that cannot be removed does not keep the others: it counts as sealed again, its row stays, and the next pass
 * tries again. How many are gone, their rows in `gone`. */
static size_t remove_marked(struct archive *a, struct segment_row *rows, size_t n,
			    struct segment_row *gone, int *ret_worst)
{
	size_t n_gone = 0;
	for (size_t i = 0; i < n; i++) {
		step(a, "remove-file");
		int r = remove_files(a, &rows[i]);
		if (r == 0) {
			gone[n_gone++] = rows[i];
			continue;
		}
		char path[SEGMENT_PATH_MAX];
		row_path(&rows[i], SEGMENT_CLOSED, path);
		log_error("%s: cannot be deleted: %s; it is tried again", path, strerror(-r));
		rows[i].state = SEGMENT_STATE_SEALED;
		*ret_worst = r;
	}
	return n_gone;
}

static int forget_marked(struct archive *a, const struct segment_row *gone, size_t n)
{
	int r = 0;
	for (size_t i = 0; i < n && r == 0; i++)
		if (i + 1 == n || !same_directory(&gone[i], &gone[i + 1]))
			r = sync_removal(a, &gone[i]);
	step(a, "remove-forget");
	if (r == 0)
		r = store_remove_segments(a->config.store, gone, n);
	for (size_t i = 0; i < n && r == 0; i++)
		remove_directories(a, &gone[i]);
	return r;
}

int archive_remove(struct archive *a, struct segment_row *rows, size_t n)
{
	struct segment_row *gone = calloc(n + 1, sizeof(*gone));
	if (!gone)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		rows[i].state = SEGMENT_STATE_DELETED;
	step(a, "remove-mark");
	int r = store_put_segments(a->config.store, rows, n), worst = 0;
	for (size_t i = 0; i < n && r == -ENOSPC; i++)
		r = remove_unmarked(a, &rows[i], rows, n);
	if (r == 0) {
		/* Readers know it before the files go; without room for that they go all the same. */
		(void)!store_settle(a->config.store);
		size_t n_gone = remove_marked(a, rows, n, gone, &worst);
		r = forget_marked(a, gone, n_gone);
	}
	free(gone);
	if (r < 0)
		for (size_t i = 0; i < n; i++)
			rows[i].state = SEGMENT_STATE_SEALED;
	return r < 0 ? r : worst;
}

int archive_sweep(struct archive *a, int32_t last_day)
{
	return indexer_sweep(a->indexer, last_day);
}

int archive_reset_index(struct archive *a)
{
	return indexer_reset(a->indexer);
}
