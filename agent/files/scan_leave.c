/* Directories that go: see discover_inside.h. One that is deleted is dropped with all below it; one
 * that is moved to where no path is known keeps its watch, and with it the files in it, until it
 * turns up (scan.c) or they have left. */
#include "agent/files/discover_inside.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

void scan_drop(struct discover *d, struct dir *dir)
{
	for (struct list_node *n; (n = list_first(&dir->names)) != NULL;)
		names_lost(d, LIST_ENTRY(n, struct name, node));
	int wd = dir->wd;
	tree_drop_dir(&d->tree, dir);
	if (wd >= 0 && !tree_by_wd(&d->tree, wd))
		watch_remove(d->watch, wd);
}

static bool is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);
	return strncmp(path, dir, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

void scan_leave(struct discover *d, const char *path)
{
	char top[PATH_MAX];
	(void)snprintf(top, sizeof(top), "%s", path); /* it may be the directory's own */
	for (struct list_node *at = list_first(&d->tree.dirs), *next; at; at = next) {
		struct dir *dir = LIST_ENTRY(at, struct dir, node);
		next = list_next(&d->tree.dirs, at);
		if (!dir->orphan && is_below(dir->path, top))
			scan_drop(d, dir);
	}
}

void scan_moved_away(struct discover *d, const char *path)
{
	for (struct list_node *at = list_first(&d->tree.dirs), *next; at; at = next) {
		struct dir *dir = LIST_ENTRY(at, struct dir, node);
		next = list_next(&d->tree.dirs, at);
		if (dir->orphan || !is_below(dir->path, path))
			continue;
		if (dir->wd < 0 || list_empty(&dir->names)) {
			scan_drop(d, dir);
			continue;
		}
		for (struct list_node *n = list_first(&dir->names); n;
		     n = list_next(&dir->names, n))
			names_unfollow(d, LIST_ENTRY(n, struct name, node));
		tree_orphan(&d->tree, dir);
	}
}
