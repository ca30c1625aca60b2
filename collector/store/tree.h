/* The archive's directory tree: everything below DATA_DIR is opened, made, renamed and removed
 * through here. No path that is given here can leave the tree or its file system, whatever links
 * somebody has planted (openat2: RESOLVE_BENEATH, NO_SYMLINKS, NO_XDEV).
 *
 * What is made gets mode 0640 (directories 0750) whatever the umask, and the group `haul` where
 * that exists and we may give it. Paths are relative to DATA_DIR. Errors are -errno: -ELOOP for a
 * link, -EXDEV for another file system. Thread-safe; opening and closing the tree is not. */
#ifndef HAUL_COLLECTOR_STORE_TREE_H
#define HAUL_COLLECTOR_STORE_TREE_H

#include "common/buf.h"

#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#define TREE_HAUL       ".haul"
#define TREE_WAL        ".haul/wal"
#define TREE_QUARANTINE ".haul/quarantine"
#define TREE_TODAY      "today"

struct tree {
	int root; /* DATA_DIR */
	int lock; /* .haul/lock */
	gid_t group;
	bool has_group;
};

/* Makes DATA_DIR and .haul where missing and takes the lock: -EWOULDBLOCK when another collector
 * holds it. -EXDEV when .haul is on another file system. */
int tree_open(const char *data_dir, struct tree *ret) MUST_CHECK;
void tree_close(struct tree *t);

/* Opens a regular file (-EINVAL for anything else); with O_CREAT the directories on its way are
 * made, too. */
int tree_open_file(const struct tree *t, const char *path, int flags) MUST_CHECK;
int tree_open_dir(const struct tree *t, const char *path) MUST_CHECK;
int tree_make_dirs(const struct tree *t, const char *path) MUST_CHECK;

/* May names be made and removed in the directory? 0, or -errno: -ENOENT, -EACCES, -EROFS ... */
int tree_writable(const struct tree *t, const char *path) MUST_CHECK;

/* By name, without following it. Looks only: the one place where a planted link on the way is
 * followed, for it would be found out by the inode. */
int tree_stat(const struct tree *t, const char *path, struct stat *ret) MUST_CHECK;

/* Both names have the same directory. Without `replace`, -EEXIST when `to` is there. */
int tree_rename(const struct tree *t, const char *from, const char *to, bool replace) MUST_CHECK;
/* Between any two directories, replacing what is there. Neither is synced. */
int tree_move(const struct tree *t, const char *from, const char *to) MUST_CHECK;
/* An empty directory; -ENOTEMPTY. */
int tree_remove_dir(const struct tree *t, const char *path) MUST_CHECK;
int tree_remove(const struct tree *t, const char *path) MUST_CHECK;
/* A second name for a file. */
int tree_link(const struct tree *t, const char *path, const char *name) MUST_CHECK;

/* Makes what happened in the directory durable. */
int tree_sync_dir(const struct tree *t, const char *path) MUST_CHECK;
/* Makes everything durable that was written on the file system, whoever wrote it. */
int tree_sync_all(const struct tree *t) MUST_CHECK;

/* Moves a file out of the way, to .haul/quarantine/NAME-TIME (with a number when that is taken);
 * ret_path says where it is now. */
#define TREE_PATH_MAX 600
int tree_set_aside(const struct tree *t, const char *path, const char *name,
		   char ret_path[TREE_PATH_MAX]) MUST_CHECK;

/* Copies a stretch of a file to .haul/quarantine/NAME, for people to look at: what was there is
 * written over. */
int tree_copy_aside(const struct tree *t, const char *path, uint64_t from, uint64_t to,
		    const char *name) MUST_CHECK;

#endif
