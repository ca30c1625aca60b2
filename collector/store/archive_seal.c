/* A closed segment becomes a sealed one: see archive.h.
 *
 * The plain file goes last, when the sealed one is on disk under its name, was read back whole and
 * the ledger says so. Until then a crash leaves the plain one as it was, and sealing begins anew;
 * the one temporary file has one name, so nothing is ever left over. The index is in nobody's way:
 * when it cannot be written the segment is sealed all the same. */
#include "collector/store/archive_inside.h"

#include "collector/store/seal.h"
#include "collector/store/sealed.h"
#include "common/file.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

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
	int r = archive_add_block(a, b->offset, b->length, b->plain_length, b->digest);
	return r < 0 ? r : archive_stopped(a);
}

/* Reads back what was written: only then may the plain file go. */
static int compare(const struct sealing *s)
{
	uint64_t bytes, crc;
	int r = sealed_sum(s->to, s->terms->form, s->result.bytes, archive_stopped, s->a, &bytes,
			   &crc);
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

/* A file that has the sealed name already: of an earlier try, then it holds the same, and is
 * replaced; anything else is never written over. -EEXIST. */
static int look_in_the_way(const struct sealing *s)
{
	uint64_t size, bytes, crc;
	int r = archive_look_form(s->a->tree, s->row, s->terms->form, &size);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	int fd = tree_open_file(s->a->tree, s->sealed, O_RDONLY);
	if (fd < 0)
		return fd;
	r = sealed_sum(fd, s->terms->form, size, archive_stopped, s->a, &bytes, &crc);
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
	archive_step(s->a, "seal-rename");
	int r = tree_move(s->a->tree, ARCHIVE_TEMPORARY, s->sealed);
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
	struct part_segment segment = archive_part_segment(s->a, s->row);
	segment.form = s->terms->form;
	segment.size = s->result.bytes;
	segment.plain_bytes = s->size;
	segment.plain_crc = s->result.crc;
	segment.lines = s->result.lines;
	archive_step(s->a, "seal-index");
	int r = archive_put_parts(s->a, &segment, s->terms->class);
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
	archive_step(s->a, "seal-ledger");
	return store_put_segments(s->a->config.store, &row, 1);
}

static int seal_plain(struct sealing *s)
{
	bool stays = s->terms->form == SEGMENT_CLOSED;
	archive_free_parts(s->a);
	archive_step(s->a, "seal-write");
	s->to = stays ? -1
		      : tree_open_file(s->a->tree, ARCHIVE_TEMPORARY, O_RDWR | O_CREAT | O_TRUNC);
	int r = s->to < 0 && !stays ? s->to : write_sealed(s);
	file_close(&s->to);
	if (r == 0 && !stays)
		r = place_sealed(s);
	if (r < 0) {
		archive_free_parts(s->a);
		if (!stays && tree_remove(s->a->tree, ARCHIVE_TEMPORARY) < 0)
			log_debug("%s: nothing to remove", ARCHIVE_TEMPORARY);
		return r;
	}
	tell_differences(s);
	index_sealed(s);
	r = settle_row(s);
	return r < 0 || stays ? r : archive_remove_plain(s->a, s->plain, s->dir);
}

/* Only the sealed file is there: the ledger does not know yet, or not any more. */
static int adopt(struct archive *a, const struct segment_row *row, const char *class,
		 enum segment_form form, uint64_t size)
{
	char path[SEGMENT_PATH_MAX];
	uint64_t bytes = 0, crc = 0;
	archive_row_path(row, form, path);
	int fd = tree_open_file(a->tree, path, O_RDONLY);
	if (fd < 0)
		return fd;
	int r = sealed_sum(fd, form, size, archive_stopped, a, &bytes, &crc);
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

/* Two files for one segment, and they differ: nothing is thrown away. The next pass finds the
 * sealed one. */
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
	archive_row_path(row, SEGMENT_CLOSED, s.plain);
	archive_row_path(row, terms->form, s.sealed);
	(void)segment_name_dir(s.dir, row->day, row->service);
	int r = archive_look_form(a->tree, row, SEGMENT_CLOSED, &s.size);
	if (r == -ENOENT) {
		*ret = (struct archive_result){0};
		r = archive_look_compressed(a->tree, row, &form, &bytes);
		return r == 0         ? adopt(a, row, terms->class, form, bytes)
		       : r == -ENOENT ? archive_say_gone(a, row)
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
