/* Directories: see discover_inside.h. The walk starts at the root and goes down wherever a glob
 * leads: through directories that are only on the way by the one name that the glob has, from the
 * first wildcard on by listing. A directory is watched before it is listed, so that what is made
 * meanwhile is either in the list or comes as an event; a tree that is made in one go is walked
 * down as fast as it appears.
 *
 * Failure modes: no more watches (ENOSPC) or no inotify at all: the directory is polled each
 * second, and that is said; the directory cannot be read: it is tried again by the rescan; it is on
 * a network file system: nothing in it is touched unless an input says `remote = yes`; it holds
 * haul's own archive: left alone. */
#include "agent/files/discover_inside.h"

#include "agent/files/rotation.h"
#include "common/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char holds_archive[] = "it is under a directory that holds a haul archive (.haul)";
static const char is_remote[] =
	"it is on a network file system, and no input for it says remote = yes";

bool scan_join(char *dst, const struct dir *dir, const char *name)
{
	const char *slash = strcmp(dir->path, "/") == 0 ? "" : "/";
	int n = snprintf(dst, PATH_MAX, "%s%s%s", dir->path, slash, name);
	return n > 0 && n < PATH_MAX;
}

static struct dir *parent_of(const struct discover *d, const char *path)
{
	char text[PATH_MAX];
	struct span dir = path_dir(path);
	if (strcmp(path, "/") == 0)
		return NULL;
	(void)snprintf(text, sizeof(text), "%.*s", (int)dir.len, dir.ptr);
	return tree_dir(&d->tree, text);
}

/* --- may anything in it be followed? --- */

static bool has_archive(const char *dir)
{
	char path[PATH_MAX];
	struct identity id;
	int n = snprintf(path, sizeof(path), "%s/.haul", strcmp(dir, "/") == 0 ? "" : dir);
	return n > 0 && n < (int)sizeof(path) && identity_of_path(path, false, &id) == 0 &&
	       S_ISDIR(id.mode);
}

bool scan_is_off_limits(struct discover *d, const char *path)
{
	return d->wanted.side != WANTED_FAR && mounts_is_remote(&d->mounts, path, d->now_ns);
}

const char *scan_refusal(const struct wanted *w, struct mounts *m, const char *path)
{
	char at[PATH_MAX];
	enum identity_place place;
	const char *kind;
	if (mounts_is_remote(m, path, clock_mono_ns()) && !wanted_remote(w, path))
		return is_remote;
	if (identity_place(path, &place, &kind) == 0 && place == PLACE_REMOTE &&
	    !wanted_remote(w, path))
		return is_remote;
	(void)snprintf(at, sizeof(at), "%s", path);
	for (;;) {
		if (has_archive(at))
			return holds_archive;
		char *slash = strrchr(at, '/');
		if (!slash || strcmp(at, "/") == 0)
			return NULL;
		slash[slash == at] = '\0';
	}
}

/* --- watching --- */

static void say_unwatched(struct discover *d, const char *path, int error)
{
	if (error == -ENOSPC)
		log_gated(&d->watch_gate, LOG_LEVEL_WARNING,
			  "%s cannot be watched, the limit of inotify watches is reached "
			  "(fs.inotify.max_user_watches): it is polled each second",
			  path);
	else
		log_gated(&d->watch_gate, LOG_LEVEL_WARNING,
			  "%s cannot be watched: %s; it is polled each second", path,
			  strerror(-error));
}

static enum watch_kind kind_of(const struct dir *dir)
{
	return dir->full ? WATCH_FULL : dir->waits ? WATCH_WAY : WATCH_SELF;
}

static void watch_dir(struct discover *d, struct dir *dir)
{
	enum identity_place place = PLACE_LOCAL;
	const char *kind;
	int wd = d->watch ? watch_add(d->watch, dir->path, kind_of(dir)) : -ENOSYS;
	if (wd < 0 && dir->wd >= 0)
		return; /* it is gone: what it is watched by tells */
	if (d->wanted.side == WANTED_FAR)
		place = PLACE_REMOTE;
	else if (identity_place(dir->path, &place, &kind) < 0)
		place = PLACE_LOCAL;
	tree_set_wd(&d->tree, dir, wd < 0 ? -1 : wd);
	bool blind = place != PLACE_LOCAL && dir->full;
	/* Those on the way need no more than the rescan. */
	tree_set_polled(&d->tree, dir, blind || (wd < 0 && dir->full));
	if (wd < 0 && wd != -ENOENT && wd != -ENOTDIR && dir->full && d->watch)
		say_unwatched(d, dir->path, wd);
}

/* The directory that was moved out of sight and turns up here. */
static struct dir *orphan_at(struct discover *d, const char *path)
{
	int wd = d->watch ? watch_add(d->watch, path, WATCH_SELF) : -1;
	for (struct dir *o = wd < 0 ? NULL : tree_by_wd(&d->tree, wd); o; o = o->same_wd)
		if (o->orphan)
			return o;
	return NULL;
}

/* Every name in the directory; what is done with one may drop others, and the directory itself. */
static void each_name(struct discover *d, struct dir *dir,
		      void (*each)(struct discover *d, struct name *n))
{
	struct buf texts = BUF_EMPTY;
	uint64_t dropped = d->tree.dropped;
	for (struct list_node *at = list_first(&dir->names); at; at = list_next(&dir->names, at)) {
		const char *text = LIST_ENTRY(at, struct name, node)->text;
		if (buf_add(&texts, text, strlen(text) + 1) < 0)
			discover_short_of_memory(d);
	}
	for (size_t at = 0; at < texts.len && d->tree.dropped == dropped;
	     at += strlen(texts.ptr + at) + 1) {
		struct name *n = tree_name(&d->tree, dir, texts.ptr + at);
		if (n)
			each(d, n);
	}
	buf_free(&texts);
}

static struct dir *make_dir(struct discover *d, const char *path, const struct identity *id,
			    bool full, bool listed)
{
	const char *refusal = scan_refusal(&d->wanted, &d->mounts, path);
	struct dir *dir = refusal == is_remote ? NULL : orphan_at(d, path);
	if (dir ? tree_adopt(&d->tree, dir, path) < 0 : tree_add_dir(&d->tree, path, &dir) < 0) {
		discover_short_of_memory(d);
		return NULL;
	}
	dir->ino = id->ino;
	dir->dev = id->dev;
	dir->full = full;
	dir->listed = listed;
	dir->refusal = refusal;
	if (refusal)
		log_info("%s is left alone: %s", path, refusal);
	if (refusal != is_remote)
		watch_dir(d, dir);
	uint64_t dropped = d->tree.dropped;
	each_name(d, dir, look_again);
	return d->tree.dropped == dropped ? dir : tree_dir(&d->tree, path);
}

/* --- entering --- */

/* A link that leads back to one of the directories it stands in would never end. */
static bool leads_back(const struct discover *d, const char *path, const struct identity *id)
{
	for (struct dir *up = parent_of(d, path); up; up = parent_of(d, up->path))
		if (up->ino == id->ino && up->dev == id->dev)
			return true;
	return false;
}

static void check_known(struct discover *d, struct dir *dir, bool full, bool listed)
{
	bool more = (full && !dir->full) || (listed && !dir->listed);
	dir->full = dir->full || full;
	dir->listed = dir->listed || listed;
	if (more || (dir->wd < 0 && dir->refusal != is_remote))
		watch_dir(d, dir);
}

/* Remembers that a network file system is there, without looking at it. */
static struct dir *stay_out(struct discover *d, const char *path)
{
	struct dir *dir = tree_dir(&d->tree, path);
	if (dir && dir->refusal != is_remote) {
		scan_leave(d, path);
		dir = NULL;
	}
	if (!dir) {
		if (tree_add_dir(&d->tree, path, &dir) < 0) {
			discover_short_of_memory(d);
			return NULL;
		}
		dir->full = dir->listed = true;
		dir->refusal = is_remote;
		log_info("%s is left alone: %s", path, is_remote);
	}
	dir->seen = d->scan;
	return dir;
}

static struct dir *enter(struct discover *d, const char *path, bool full, bool listed)
{
	struct identity id;
	struct dir *dir = tree_dir(&d->tree, path);
	if (scan_is_off_limits(d, path))
		return stay_out(d, path);
	int r = identity_of_path(path, true, &id);
	if (r < 0 || !S_ISDIR(id.mode)) {
		if (dir)
			scan_leave(d, path);
		return NULL;
	}
	bool other = dir && (dir->ino != id.ino || dir->dev != id.dev);
	/* No event tells of an archive that is made where only the directory itself is watched. */
	if (other || (dir && !dir->full && !dir->refusal && has_archive(path))) {
		scan_leave(d, path);
		dir = NULL;
	}
	if (dir)
		check_known(d, dir, full, listed);
	else if (!leads_back(d, path, &id))
		dir = make_dir(d, path, &id, full, listed);
	if (dir)
		dir->seen = d->scan;
	return dir;
}

void scan_enter(struct discover *d, const char *path)
{
	if (!wanted_below(&d->wanted, path))
		return;
	struct dir *dir = enter(d, path, !wanted_only_through(&d->wanted, path), true);
	if (dir)
		scan_dir(d, dir);
}

struct dir *scan_enter_unlisted(struct discover *d, const char *path)
{
	return enter(d, path, true, false);
}

bool scan_rotated_dir(char *dst, const char *dir, const char *rotated_dir)
{
	bool absolute = *rotated_dir == '/';
	int n = snprintf(dst, PATH_MAX, "%s%s%s", absolute ? "" : dir, absolute ? "" : "/",
			 rotated_dir);
	return *rotated_dir && n > 0 && n < PATH_MAX;
}

void scan_enter_rotated(struct discover *d, const char *dir, const char *rotated_dir)
{
	char text[PATH_MAX];
	if (!scan_rotated_dir(text, dir, rotated_dir))
		return;
	struct dir *rotated = tree_dir(&d->tree, text);
	if (rotated && rotated->rotated)
		return;
	rotated = scan_enter_unlisted(d, text);
	if (!rotated)
		return;
	rotated->rotated = true;
	scan_dir(d, rotated);
}

/* --- listing --- */

/* A file that no input wants may still be one that is known: renamed, or waited for. */
static bool may_be_known(const struct discover *d, const struct dirent *e)
{
	for (struct source *s = source_by_ino(d->table, e->d_ino); s; s = s->same_ino)
		if (!s->cut && (s->state == SOURCE_MISSING || !s->followed))
			return true;
	return false;
}

/* Or one that was rotated away before anybody saw it. */
static bool may_be_stray(const struct discover *d, const struct dir *dir, const struct dirent *e)
{
	char path[PATH_MAX];
	struct origin origin;
	return d->since_real_ns && stray_origin(d, dir, e->d_name, &origin, path);
}

static void take_entry(struct discover *d, struct dir *dir, const struct dirent *e,
		       struct buf *subdirs)
{
	char path[PATH_MAX];
	struct identity id;
	unsigned char type = e->d_type;
	if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
	    !scan_join(path, dir, e->d_name))
		return;
	if (type == DT_UNKNOWN && identity_of_path(path, false, &id) == 0)
		type = (unsigned char)IFTODT(id.mode);
	struct name *n = tree_name(&d->tree, dir, e->d_name);
	if (type == DT_DIR) {
		if (dir->listed && !dir->refusal && wanted_below(&d->wanted, path) &&
		    buf_add(subdirs, path, strlen(path) + 1) < 0)
			discover_short_of_memory(d);
		return;
	}
	if (type != DT_REG && type != DT_LNK)
		return;
	bool wanted = !n && dir->listed && !dir->refusal &&
		      (wanted_by(&d->wanted, path) ||
		       (type == DT_LNK && wanted_through(&d->wanted, path)));
	if (n || wanted || (type == DT_REG && (may_be_known(d, e) || may_be_stray(d, dir, e))))
		look_at(d, dir, e->d_name, NULL);
	n = tree_name(&d->tree, dir, e->d_name);
	if (n)
		n->seen = d->scan;
}

/* For names that the listing did not meet. */
static void lose_unseen(struct discover *d, struct name *n)
{
	struct identity id;
	if (n->seen == d->scan)
		return;
	if (n->via && identity_of_path(n->via, false, &id) < 0) {
		free(n->via);
		n->via = NULL;
	}
	if (n->source)
		look_at(d, n->dir, n->text, NULL);
	else if (!n->via)
		tree_drop_name(&d->tree, n);
}

/* Is something that leads on not there, or not under watch itself? A link counts as well, for when
 * it is made to lead elsewhere no event of what it led to tells. */
static bool way_is_open(const struct discover *d, const struct dir *dir)
{
	char path[PATH_MAX];
	struct identity id;
	size_t cursor = 0;
	while (wanted_next(&d->wanted, dir->path, &cursor, path, sizeof(path))) {
		const struct dir *next = tree_dir(&d->tree, path);
		if (!next || (next->wd < 0 && !next->refusal) ||
		    identity_of_path(path, false, &id) < 0 || !S_ISDIR(id.mode))
			return true;
	}
	return false;
}

static void set_waits(struct discover *d, struct dir *dir, bool waits)
{
	enum watch_kind most = WATCH_SELF;
	dir->waits = waits;
	if (!d->watch || dir->wd < 0 || waits) {
		watch_dir(d, dir);
		return;
	}
	for (const struct dir *o = tree_by_wd(&d->tree, dir->wd); o; o = o->same_wd)
		most = kind_of(o) > most ? kind_of(o) : most;
	int wd = watch_set(d->watch, dir->path, most);
	if (wd >= 0 && !tree_by_wd(&d->tree, wd))
		watch_remove(d->watch,
			     wd); /* it is another one since a moment ago: the rescan finds it */
}

/* Names in a directory that is only on the way are watched for as long as one is missing; then each
 * that is there is watched itself. What comes or goes between looking and watching is found by
 * looking once more. */
static void enter_next(struct discover *d, struct dir *dir)
{
	char own[PATH_MAX], path[PATH_MAX];
	(void)snprintf(own, sizeof(own), "%s", dir->path);
	for (int tries = 0; tries < 3; tries++) {
		size_t cursor = 0;
		while (wanted_next(&d->wanted, own, &cursor, path, sizeof(path)))
			scan_enter(d, path);
		if (tree_dir(&d->tree, own) != dir || way_is_open(d, dir) == dir->waits)
			return;
		set_waits(d, dir, !dir->waits);
	}
}

void scan_above(struct discover *d, const char *path)
{
	struct dir *above = parent_of(d, path);
	if (above && !above->full)
		enter_next(d, above);
}

/* Where what is in it goes to when it is rotated. */
static void enter_rotated(struct discover *d, const struct dir *dir)
{
	char path[PATH_MAX];
	(void)snprintf(path, sizeof(path), "%s", dir->path);
	for (size_t i = 0; dir->listed && i < d->wanted.n; i++) {
		struct wanted only = {&d->wanted.inputs[i], 1, d->wanted.side};
		if (*only.inputs->rotated_dir && wanted_below(&only, path))
			scan_enter_rotated(d, path, only.inputs->rotated_dir);
	}
}

void scan_dir(struct discover *d, struct dir *dir)
{
	struct buf subdirs = BUF_EMPTY;
	if (!dir->full) {
		enter_next(d, dir);
		return;
	}
	if (dir->refusal == is_remote)
		return;
	DIR *list = opendir(dir->path);
	if (!list) {
		if (errno == ENOENT || errno == ENOTDIR)
			scan_leave(d, dir->path);
		else
			log_gated(&d->watch_gate, LOG_LEVEL_WARNING,
				  "%s cannot be listed: %s; it is tried again", dir->path,
				  strerror(errno));
		return;
	}
	uint64_t dropped = d->tree.dropped;
	for (struct dirent *e; d->tree.dropped == dropped && (e = readdir(list)) != NULL;)
		take_entry(d, dir, e, &subdirs);
	closedir(list);
	if (d->tree.dropped == dropped)
		each_name(d, dir, lose_unseen);
	if (d->tree.dropped == dropped)
		enter_rotated(d, dir);
	for (size_t at = 0; at < subdirs.len; at += strlen(subdirs.ptr + at) + 1)
		scan_enter(d, subdirs.ptr + at);
	buf_free(&subdirs);
}

/* --- everything --- */

void scan_polled(struct discover *d)
{
	d->scan++;
	/* A scan may drop directories: begin again behind each, by its number. */
	for (bool again = true; again;) {
		again = false;
		for (struct list_node *at = list_first(&d->tree.dirs); at;
		     at = list_next(&d->tree.dirs, at)) {
			struct dir *dir = LIST_ENTRY(at, struct dir, node);
			if (dir->polled && !dir->orphan && dir->seen != d->scan) {
				dir->seen = d->scan;
				scan_dir(d, dir);
				again = true;
				break;
			}
		}
	}
}

/* Directories for links: only compared. Those that nothing is known of any more are let go. */
static void tidy(struct discover *d, struct dir *dir)
{
	if (dir->orphan || !dir->listed) {
		if (list_empty(&dir->names) && !dir->rotated)
			scan_drop(d, dir);
		else if (!dir->orphan && enter(d, dir->path, true, false) == dir)
			scan_dir(d, dir);
	} else {
		scan_drop(d, dir);
	}
}

void scan_all(struct discover *d)
{
	d->scan++;
	scan_enter(d, "/");
	for (bool again = true; again;) {
		again = false;
		for (struct list_node *at = list_first(&d->tree.dirs); at;
		     at = list_next(&d->tree.dirs, at)) {
			struct dir *dir = LIST_ENTRY(at, struct dir, node);
			if (dir->seen != d->scan) {
				dir->seen = d->scan;
				tidy(d, dir);
				again = true;
				break;
			}
		}
	}
}

void scan_missing(struct discover *d)
{
	for (struct source *s = source_first(d->table); s; s = source_after(d->table, s)) {
		char text[PATH_MAX];
		struct span own = path_dir(s->path);
		if (s->state != SOURCE_MISSING)
			continue;
		(void)snprintf(text, sizeof(text), "%.*s", (int)own.len, own.ptr);
		if (tree_dir(&d->tree, text))
			continue;
		struct dir *dir = scan_enter_unlisted(d, text);
		if (dir)
			scan_dir(d, dir);
	}
}
