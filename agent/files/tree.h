/* The directories that are watched and the names in them that lead to sources: what discover knows
 * of the file system. It only remembers; discover decides. Everything here is owned by the tree but
 * the sources. */
#ifndef HAUL_AGENT_TREE_H
#define HAUL_AGENT_TREE_H

#include "agent/files/identity.h"
#include "agent/files/source.h"
#include "common/list.h"
#include "common/map.h"

/* A name in a directory. */
struct name {
	struct dir *dir;
	struct list_node node; /* in dir->names */
	struct source *source; /* NULL: none; then `via` is set, or the name is a trace of a move */
	char *via;     /* the path of a symbolic link that leads over this name; NULL: none */
	uint32_t seen; /* the scan that met it last */
	bool followed; /* an input wants it, and it is no rotated version of one */
	char text[];
};

struct dir {
	char *path;
	uint64_t ino;
	dev_t dev;
	int wd;        /* -1: not watched */
	uint32_t seen; /* the rescan that met it last */
	struct list names;
	struct list_node node; /* in tree->dirs */
	struct dir *same_wd;
	bool full;           /* its files are of interest, not only its directories */
	bool waits;          /* on the way only: a name that leads on is not there, or is a link */
	bool listed;         /* unknown names in it are looked at; else only those that are known */
	bool rotated;        /* rotated files go there: it stays */
	bool polled;         /* inotify does not serve: scanned each second */
	bool orphan;         /* moved out of sight: its path is not valid, its watch is */
	const char *refusal; /* a static text: why nothing in it is followed; NULL: it is */
};

struct tree {
	struct list dirs;
	struct map by_path;
	struct map by_wd; /* heads of chains by same_wd */
	struct map names;
	size_t n_dirs, n_polled;
	uint64_t dropped; /* directories; who holds one over other calls compares it */
};

void tree_init(struct tree *t);
void tree_free(struct tree *t);

struct dir *tree_dir(const struct tree *t, const char *path);
/* Errors: -ENOMEM. */
int tree_add_dir(struct tree *t, const char *path, struct dir **ret) MUST_CHECK;
/* Its names are dropped with it; their sources are the caller's concern. */
void tree_drop_dir(struct tree *t, struct dir *d);
/* An orphan has no place in the index by path; tree_adopt gives it one again. Errors: -ENOMEM. */
void tree_orphan(struct tree *t, struct dir *d);
int tree_adopt(struct tree *t, struct dir *d, const char *path) MUST_CHECK;

struct dir *tree_by_wd(const struct tree *t, int wd);
void tree_set_wd(struct tree *t, struct dir *d, int wd); /* -1: none any more */
void tree_set_polled(struct tree *t, struct dir *d, bool polled);

struct name *tree_name(const struct tree *t, const struct dir *d, const char *text);
int tree_add_name(struct tree *t, struct dir *d, const char *text, struct name **ret) MUST_CHECK;
void tree_drop_name(struct tree *t, struct name *n);

#endif
