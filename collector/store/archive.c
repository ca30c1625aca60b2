/* From a closed segment to its end: see archive.h. Called by the janitor.
 *
 * What the next start may find:
 *   closed, plain file                        sealing was not begun or not ended: it begins anew
 *   closed, sealed file only                  the ledger was lost behind it: checked and adopted
 *   sealed, both files                        the plain one goes
 *   deleted                                   deleting was not ended: it ends
 *   closed or sealed, no file                 somebody took it: said aloud, gone */
#include "collector/store/archive.h"

#include "collector/store/archive_inside.h"
#include "collector/store/blocked.h"
#include "collector/store/seal.h"
#include "common/log.h"

#include <errno.h>
#include <stdlib.h>

void archive_step(const struct archive *a, const char *what)
{
	if (a->config.step)
		a->config.step(a->config.user, what);
}

int archive_stopped(void *user)
{
	const struct archive *a = user;
	return a->config.stop(a->config.user) ? -ECANCELED : 0;
}

void archive_row_path(const struct segment_row *row, enum segment_form form,
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
int archive_look_form(const struct tree *t, const struct segment_row *row, enum segment_form form,
		      uint64_t *ret_bytes)
{
	char path[SEGMENT_PATH_MAX];
	struct stat st;
	archive_row_path(row, form, path);
	int r = tree_stat(t, path, &st);
	if (r < 0)
		return r == -ENOTDIR ? -ENOENT : r;
	if (!S_ISREG(st.st_mode))
		return -ENOENT;
	*ret_bytes = (uint64_t)st.st_size;
	return 0;
}

int archive_look_compressed(const struct tree *t, const struct segment_row *row,
			    enum segment_form *ret_form, uint64_t *ret_bytes)
{
	int r = archive_look_form(t, row, SEGMENT_ZSTD, ret_bytes);
	*ret_form = SEGMENT_ZSTD;
	if (r == -ENOENT) {
		r = archive_look_form(t, row, SEGMENT_GZIP, ret_bytes);
		*ret_form = SEGMENT_GZIP;
	}
	return r;
}

int archive_look(const struct tree *t, const struct segment_row *row, enum segment_form *ret_form,
		 uint64_t *ret_bytes)
{
	int r = archive_look_compressed(t, row, ret_form, ret_bytes);
	if (r == -ENOENT) {
		r = archive_look_form(t, row, SEGMENT_CLOSED, ret_bytes);
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
	return archive_look_form(a->tree, &row, s->form, &bytes) == 0 && bytes == s->size;
}

static void index_step(void *user, const char *what)
{
	archive_step(user, what);
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
		r = tree_remove(a->tree, ARCHIVE_TEMPORARY);
	if (r < 0 && r != -ENOENT) {
		archive_free(a);
		return r;
	}
	*ret = a;
	return 0;
}

void archive_free_parts(struct archive *a)
{
	for (size_t i = 0; i < a->n_parts; i++)
		part_free(&a->parts[i]);
	a->n_parts = 0;
}

void archive_free(struct archive *a)
{
	if (!a)
		return;
	archive_free_parts(a);
	free(a->parts);
	digest_free(&a->digest);
	sealer_free(a->sealer);
	indexer_free(a->indexer);
	free(a);
}

/* --- looking after --- */

int archive_remove_plain(const struct archive *a, const char *plain, const char *dir)
{
	archive_step(a, "seal-remove");
	int r = tree_remove(a->tree, plain);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : tree_sync_dir(a->tree, dir);
}

int archive_say_gone(struct archive *a, const struct segment_row *row)
{
	char path[SEGMENT_PATH_MAX];
	struct segment_row gone = *row;
	struct blocked_place place;
	if (blocked_dir(a->tree, row->day, row->service, &place))
		return place.error; /* nobody can see what is there */
	gone.state = SEGMENT_STATE_GONE;
	archive_row_path(row, SEGMENT_CLOSED, path);
	log_error("%s: somebody has removed it; its %llu lines are gone", path,
		  (unsigned long long)row->lines);
	return store_put_segments(a->config.store, &gone, 1);
}

int archive_check(struct archive *a, const struct segment_row *row, uint64_t *ret_bytes)
{
	enum segment_form form;
	uint64_t plain;
	*ret_bytes = 0;
	if (row->state == SEGMENT_STATE_DELETED)
		return archive_finish_removal(a, row);
	if (row->state == SEGMENT_STATE_GONE)
		return 0;
	int r = archive_look_compressed(a->tree, row, &form, ret_bytes);
	int p = archive_look_form(a->tree, row, SEGMENT_CLOSED, &plain);
	if (r == 0 && p == 0) {
		char path[SEGMENT_PATH_MAX], dir[SEGMENT_PATH_MAX];
		archive_row_path(row, SEGMENT_CLOSED, path);
		(void)segment_name_dir(dir, row->day, row->service);
		return archive_remove_plain(a, path, dir);
	}
	if (r == -ENOENT && p == 0)
		*ret_bytes = plain;
	else if (r == -ENOENT && p == -ENOENT)
		return archive_say_gone(a, row);
	return r == -ENOENT ? p : r;
}

int archive_sweep(struct archive *a, int32_t last_day)
{
	return indexer_sweep(a->indexer, last_day);
}

int archive_reset_index(struct archive *a)
{
	return indexer_reset(a->indexer);
}
