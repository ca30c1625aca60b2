/* Syncing: see segment_sync.h. Called by the checkpoint. */
#include "collector/store/segment_sync.h"

#include "collector/store/segment_name.h"
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* With so few changed files each is synced; with more, the file system is. */
#define SYNC_EACH_MAX 8

static int sync_one(const struct tree *t, const struct segment_row *row)
{
	struct segment_name name = {.day = row->day,
				    .service = row->service,
				    .host = row->host,
				    .number = row->number,
				    .form = row->state == SEGMENT_STATE_LIVE ? SEGMENT_LIVE
									     : SEGMENT_CLOSED};
	char path[SEGMENT_PATH_MAX];
	segment_name_path(path, &name);
	int fd = tree_open_file(t, path, O_RDONLY);
	if (fd < 0)
		return fd;
	struct stat st;
	int r = fstat(fd, &st) < 0 ? -errno : 0;
	if (r == 0 && st.st_ino != row->inode)
		r = -ESTALE;
	if (r == 0 && fsync(fd) < 0)
		r = -EIO;
	file_close(&fd);
	return r;
}

static int sync_names(const struct tree *t, const struct segment_row *row)
{
	char dir[SEGMENT_PATH_MAX];
	segment_name_dir(dir, row->day, row->service);
	int r = tree_sync_dir(t, dir);
	*strchr(dir, '/') = '\0';
	if (r == 0)
		r = tree_sync_dir(t, dir);
	return r;
}

static int sync_each(const struct tree *t, const struct appender_report *report)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < report->n_rows; i++) {
		if (report->rows[i].state == SEGMENT_STATE_GONE)
			continue;
		r = sync_one(t, &report->rows[i]);
		if (r == 0 && report->names_changed)
			r = sync_names(t, &report->rows[i]);
	}
	return r == 0 && report->names_changed ? tree_sync_dir(t, ".") : r;
}

int segment_sync(const struct tree *t, const struct appender_report *report)
{
	if (report->n_rows == 0)
		return 0;
	int r = report->n_rows <= SYNC_EACH_MAX ? sync_each(t, report) : -E2BIG;
	return r == 0 || r == -EIO ? r : tree_sync_all(t);
}
