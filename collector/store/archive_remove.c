/* Segments that go: see archive.h. The ledger says it first and forgets it last, so that no file is
 * ever missed and none is left that nobody knows. */
#include "collector/store/archive_inside.h"

#include "common/log.h"

#include <errno.h>
#include <stdlib.h>

static int remove_files(struct archive *a, const struct segment_row *row)
{
	static const enum segment_form forms[] = {SEGMENT_ZSTD, SEGMENT_GZIP, SEGMENT_CLOSED};
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		char path[SEGMENT_PATH_MAX];
		archive_row_path(row, forms[i], path);
		int r = tree_remove(a->tree, path);
		/* Behind a link or a file in the place of its directory there is nothing of
		 * ours. */
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

int archive_finish_removal(struct archive *a, const struct segment_row *row)
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

/* There is no room to write down what is going to go: then a file goes first, which makes some. A
 * crash in between leaves a segment that seems to be taken away by somebody. */
static int remove_unmarked(struct archive *a, const struct segment_row *row,
			   const struct segment_row *rows, size_t n)
{
	archive_step(a, "remove-unmarked");
	if (remove_files(a, row) < 0 || sync_removal(a, row) < 0)
		return -ENOSPC; /* another one, then */
	return store_put_segments(a->config.store, rows, n);
}

/* A file that cannot be removed does not keep the others: it counts as sealed again, its row stays,
 * and the next pass tries again. How many are gone, their rows in `gone`. */
static size_t remove_marked(struct archive *a, struct segment_row *rows, size_t n,
			    struct segment_row *gone, int *ret_worst)
{
	size_t n_gone = 0;
	for (size_t i = 0; i < n; i++) {
		archive_step(a, "remove-file");
		int r = remove_files(a, &rows[i]);
		if (r == 0) {
			gone[n_gone++] = rows[i];
			continue;
		}
		char path[SEGMENT_PATH_MAX];
		archive_row_path(&rows[i], SEGMENT_CLOSED, path);
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
	archive_step(a, "remove-forget");
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
	archive_step(a, "remove-mark");
	int r = store_put_segments(a->config.store, rows, n), worst = 0;
	for (size_t i = 0; i < n && r == -ENOSPC; i++)
		r = remove_unmarked(a, &rows[i], rows, n);
	if (r == 0) {
		/* Readers know it before the files go; without room for that they go all the
		 * same. */
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
