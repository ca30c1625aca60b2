/* Copies of the ledger: see snapshot.h.
 *
 * A copy is written under another name, synced and renamed: the one before counts until then. Where
 * there is no room for two, the one before goes first; a crash in that moment leaves the ledger
 * alone, which is no less than a collector without copies has. */
#include "collector/store/snapshot.h"

#include "common/clock.h"
#include "common/file.h"
#include "common/num.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#define NEW_PATH   TREE_WAL "/snapshot.new"
#define EXPORT_NEW TREE_HAUL "/ledger-export.new"

/* A copy costs what the ledger is large. So it is made when so many times as much WAL has gathered,
 * or after a time that grows with the ledger: a small one is copied at every quiet checkpoint. */
#define WAL_MIN    (UINT64_C(64) << 20)
#define WAL_FACTOR 4
#define TIME_NS    (10 * NUM_SEC_NS)
#define TIME_BYTES (UINT64_C(4) << 20)

bool snapshot_due(const struct snapshot *n, struct store *s, uint64_t ledger_lsn, bool last)
{
	if (n->lsn == ledger_lsn && !n->old)
		return false;
	if (last || n->lsn == 0)
		return true;
	struct stat st;
	uint64_t size = tree_stat(&s->tree, LEDGER_PATH, &st) == 0 ? (uint64_t)st.st_size : 0;
	uint64_t worth = size * WAL_FACTOR > WAL_MIN ? size * WAL_FACTOR : WAL_MIN;
	int64_t pause_ns = TIME_NS * (int64_t)(1 + size / TIME_BYTES);
	return wal_files_bytes(s->wal_files) >= worth ||
	       clock_mono_ns() - n->made_mono_ns >= pause_ns;
}

static int sync_copy(const struct tree *t)
{
	int fd = tree_open_file(t, NEW_PATH, O_RDWR | O_CREAT);
	if (fd < 0)
		return fd;
	int r = fsync(fd) < 0 ? -errno : 0;
	file_close(&fd);
	return r;
}

static int remove_file(const struct tree *t, const char *path)
{
	int r = tree_remove(t, path);
	return r == -ENOENT ? 0 : r;
}

static int copy(struct store *s)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s", s->data_dir, NEW_PATH);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	int r = remove_file(&s->tree, NEW_PATH);
	if (r == 0)
		r = ledger_copy(s->ledger, path);
	if (r == 0)
		r = sync_copy(&s->tree);
	if (r == 0)
		r = tree_rename(&s->tree, NEW_PATH, SNAPSHOT_PATH, true);
	if (r == 0)
		r = tree_sync_dir(&s->tree, TREE_WAL);
	if (r < 0)
		(void)!remove_file(&s->tree, NEW_PATH);
	return r;
}

static int export(const struct tree *t)
{
	int r = remove_file(t, EXPORT_NEW);
	if (r == 0)
		r = tree_link(t, SNAPSHOT_PATH, EXPORT_NEW);
	return r == 0 ? tree_rename(t, EXPORT_NEW, EXPORT_PATH, true) : r;
}

int snapshot_make(struct snapshot *n, struct store *s, uint64_t ledger_lsn)
{
	int r = copy(s);
	if (r == -ENOSPC) {
		n->lsn = 0;
		r = remove_file(&s->tree, SNAPSHOT_PATH);
		if (r == 0)
			r = remove_file(&s->tree, EXPORT_PATH);
		if (r == 0)
			r = copy(s);
	}
	n->made_mono_ns = clock_mono_ns();
	if (r < 0) {
		n->lsn = 0;
		return r;
	}
	n->lsn = ledger_lsn;
	n->old = false;
	return export(&s->tree);
}
