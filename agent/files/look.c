/* What a name leads to: see discover_inside.h. Called for every name that an event, a scan or a
 * rename is about.
 *
 * Nothing here believes an event: the name is looked at (statx) and the answer compared with what
 * is known, so it does not matter how many events were merged, lost, or are old by the time they
 * are read. Events only say where to look, and for one thing more: that a file which no glob names
 * was moved there from a name that a glob does name (origin). */
#include "agent/files/discover_inside.h"

#include "agent/files/past.h"
#include "agent/files/rotation.h"
#include "agent/files/service_name.h"
#include "common/clock.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINK_HOPS = 40 };

/* Under which names its lines go; owned. */
struct labels {
	char *service, *instance;
};

static void labels_free(struct labels *n)
{
	free(n->service);
	free(n->instance);
}

static int labels_of(const struct input *input, const char *path, struct labels *ret)
{
	struct buf service = BUF_EMPTY, instance = BUF_EMPTY;
	struct labels n = {NULL, NULL};
	int r = service_name(input, path, &service);
	if (r == 0)
		r = service_instance(input, path, &instance);
	if (r == 0) {
		n.service = strndup(service.ptr, service.len);
		n.instance = instance.len ? strndup(instance.ptr, instance.len) : strdup("");
	}
	buf_free(&service);
	buf_free(&instance);
	if (r < 0 || !n.service || !n.instance) {
		labels_free(&n);
		return -ENOMEM;
	}
	*ret = n;
	return 0;
}

/* Sources get a name's input before anything of them is shipped; later it stays. */
void look_take_input(struct discover *d, struct source *s, struct input *want, const char *path)
{
	if (!want)
		want = s->input ? NULL : look_input(d, s);
	if (!want || (s->input && (s->state != SOURCE_NEW || s->born || want >= s->input)))
		return;
	bool first = !s->input;
	s->input = want;
	free(s->input_name);
	s->input_name = NULL;
	/* Two inputs want one file under two names: the first of them has it. */
	struct labels names;
	if (first || labels_of(want, path, &names) < 0)
		return;
	if (source_set_path(d->table, s, path) == 0) {
		char *service = s->service, *instance = s->instance;
		s->service = names.service;
		s->instance = names.instance;
		names = (struct labels){service, instance};
	}
	labels_free(&names);
}

/* --- files --- */

static bool is_in(const struct source *s, const struct identity *id)
{
	if ((s->cut && !s->copied) || s->ino != id->ino || s->btime_ns != id->btime_ns)
		return false;
	/* The device number changes with a reboot or a remount; birth time and inode do not. */
	if (s->btime_ns != 0 || s->state == SOURCE_MISSING)
		return true;
	/* Without a birth time only a file that has a name, or is held open, keeps its inode. */
	return s->dev == id->dev && (s->names || s->fd >= 0);
}

struct source *look_find(const struct discover *d, const struct identity *id)
{
	for (struct source *s = source_by_ino(d->table, id->ino); s; s = s->same_ino)
		if (is_in(s, id))
			return s;
	return NULL;
}

struct input *look_input(const struct discover *d, const struct source *s)
{
	for (size_t i = 0; s->input_name && i < d->wanted.n; i++) {
		struct wanted only = {&d->wanted.inputs[i], 1, d->wanted.side};
		if (wanted_has(&only, only.inputs) &&
		    strcmp(only.inputs->name, s->input_name) == 0 &&
		    (s->was != SOURCE_FOLLOWING || wanted_by(&only, s->path)))
			return only.inputs;
	}
	return wanted_by(&d->wanted, s->path);
}

struct source *look_make(struct discover *d, const char *path, const struct identity *id,
			 struct input *input, const char *origin_path)
{
	struct source *s = NULL;
	struct labels names;
	struct source_config c = {
		.path = path,
		.ino = id->ino,
		.btime_ns = id->btime_ns,
		.dev = id->dev,
		.input = input,
	};
	int r = labels_of(input, origin_path, &names);
	if (r == 0) {
		c.service = names.service;
		c.instance = names.instance;
		r = stream_id_random(&c.id);
		if (r == 0)
			r = source_add(d->table, &c, &s);
		labels_free(&names);
	}
	if (r < 0 || !s) {
		discover_short_of_memory(d);
		return NULL;
	}
	s->size = s->sure_size = s->first_size = id->size;
	s->last_growth_ns = d->now_ns;
	s->created_ns = s->begun_ns = clock_real_ns();
	s->early = !d->settled;
	return s;
}

static struct source *look_new(struct discover *d, const char *path, const struct identity *id,
			       struct input *want, const struct origin *origin)
{
	if (identity_is_own_output(id) ||
	    past_by_file(source_past(d->table), id->ino, id->btime_ns))
		return NULL;
	struct source *s =
		look_make(d, path, id, want ? want : origin->input, origin ? origin->path : path);
	if (s) {
		s->between = (origin && !want) || stray_is_young(d, id);
		grown_open(d, s, path);
		unseen_found(d, s);
	}
	return s;
}

/* --- symbolic links --- */

static struct name *name_of(struct discover *d, struct dir *dir, const char *text)
{
	struct name *n = tree_name(&d->tree, dir, text);
	if (!n && tree_add_name(&d->tree, dir, text, &n) < 0) {
		discover_short_of_memory(d);
		return NULL;
	}
	return n;
}

/* The target of a link as a path; false: it cannot be told. */
static bool read_link(const char *link, char *dst)
{
	char target[PATH_MAX];
	ssize_t n = readlink(link, target, sizeof(target) - 1);
	if (n <= 0)
		return false;
	target[n] = '\0';
	struct span dir = path_dir(link);
	int len = *target == '/'
			  ? snprintf(dst, PATH_MAX, "%s", target)
			  : snprintf(dst, PATH_MAX, "%.*s/%s", (int)dir.len, dir.ptr, target);
	return len > 0 && len < PATH_MAX;
}

/* Does the link lead to a network file system? */
static bool leads_off_limits(struct discover *d, const char *link)
{
	char at[PATH_MAX], next[PATH_MAX];
	(void)snprintf(at, sizeof(at), "%s", link);
	for (int hops = 0; hops < LINK_HOPS && read_link(at, next); hops++) {
		memcpy(at, next, sizeof(at));
		if (scan_is_off_limits(d, at))
			return true;
	}
	return false;
}

/* Every name that the link leads over is watched for changes of what is behind it; the last one is
 * the file's own, in whose directory its writes are seen. NULL: there is no file yet, and the last
 * name is where it will be. */
static void look_along(struct discover *d, const char *link, struct source *s)
{
	char at[PATH_MAX], next[PATH_MAX];
	(void)snprintf(at, sizeof(at), "%s", link);
	for (int hops = 0; hops < LINK_HOPS && read_link(at, next); hops++) {
		memcpy(at, next, sizeof(at));
		struct span dir_path = path_dir(at);
		char dir_text[PATH_MAX];
		(void)snprintf(dir_text, sizeof(dir_text), "%.*s", (int)dir_path.len, dir_path.ptr);
		struct dir *dir = scan_enter_unlisted(d, dir_text);
		struct name *n = dir ? name_of(d, dir, path_name(at).ptr) : NULL;
		if (!n)
			return;
		if (!n->via || strcmp(n->via, link) != 0) {
			free(n->via);
			n->via = strdup(link);
		}
		struct identity id;
		if (s && !n->source && identity_of_path(at, false, &id) == 0 && S_ISREG(id.mode)) {
			n->source = s;
			s->names++;
		}
	}
}

/* --- looking --- */

/* A link over this name may lead to another file now. */
static void look_via(struct discover *d, const char *via)
{
	char link[PATH_MAX], dir_text[PATH_MAX];
	if (!via)
		return;
	(void)snprintf(link, sizeof(link), "%s", via);
	struct span dir = path_dir(link);
	(void)snprintf(dir_text, sizeof(dir_text), "%.*s", (int)dir.len, dir.ptr);
	struct dir *top = tree_dir(&d->tree, dir_text);
	if (top)
		look_at(d, top, path_name(link).ptr, NULL);
}

static void nothing_there(struct discover *d, struct dir *dir, const char *text)
{
	struct name *n = tree_name(&d->tree, dir, text);
	if (n && n->via)
		names_unlink(d, n); /* it may come back, and the link with it */
	else if (n)
		names_lost(d, n);
}

/* The log, renamed before it was seen, is no copy, so there is nothing to compare it with. But what
 * was renamed may be the file that was known, and this one a copy that has taken the new name
 * since. */
static bool is_log_itself(struct discover *d, struct source *s, const struct origin *moved)
{
	if (rotation_rotated(path_name(moved->path)))
		return false;
	return !moved->known || !stray_is_like_another(d, s);
}

static void look_at_file(struct discover *d, struct dir *dir, const char *text, const char *path,
			 const struct origin *origin, const struct identity *id, bool is_link)
{
	struct name *n = tree_name(&d->tree, dir, text);
	if (n && n->source && is_in(n->source, id) && n->source->state != SOURCE_MISSING) {
		grown_look(d, n->source, id);
		return;
	}
	struct input *want = dir->listed && !dir->refusal ? wanted_by(&d->wanted, path) : NULL;
	struct source *s = look_find(d, id);
	char original[PATH_MAX];
	struct origin rotated;
	const struct origin *moved = origin;
	if (!s && !want && !origin && !is_link && stray_is_young(d, id) &&
	    stray_origin(d, dir, text, &rotated, original))
		origin = &rotated;
	/* A link of no input's leads to a followed file: that is the file's own affair. */
	if (is_link && !want)
		s = NULL;
	else if (!s && (want || origin))
		s = look_new(d, path, id, want, origin);
	else if (s && s->state != SOURCE_MISSING)
		grown_look(d, s, id);
	if (!s) {
		if (n)
			names_unlink(d, n);
		if (n && !n->via)
			tree_drop_name(&d->tree, n);
		return;
	}
	n = name_of(d, dir, text);
	if (!n)
		return;
	names_link(d, n, s, want, origin, id);
	if (is_link)
		look_along(d, path, s);
	if (!d->settled || s->state != SOURCE_NEW || s->held)
		return;
	if (moved && !s->recorded && is_log_itself(d, s, moved))
		begin_stream(d, s);
	else
		begin_fresh(d, s);
}

/* A link that leads to nothing, and that an input wants: what it will lead to is to be seen when it
 * comes. What has come before that was watched is seen by looking again. Returns as
 * identity_of_path. */
static int look_for_target(struct discover *d, const struct dir *dir, const char *path,
			   struct identity *ret)
{
	if (!dir->listed || dir->refusal || !wanted_by(&d->wanted, path))
		return -ENOENT;
	uint64_t dropped = d->tree.dropped;
	look_along(d, path, NULL);
	return d->tree.dropped == dropped ? identity_of_path(path, true, ret) : -ENOENT;
}

void look_at(struct discover *d, struct dir *dir, const char *text, const struct origin *origin)
{
	struct identity id;
	char path[PATH_MAX];
	if (dir->orphan || !scan_join(path, dir, text))
		return;
	int r = identity_of_path(path, false, &id);
	bool is_link = r == 0 && S_ISLNK(id.mode);
	if (is_link)
		r = leads_off_limits(d, path) ? -EXDEV : identity_of_path(path, true, &id);
	struct name *n = tree_name(&d->tree, dir, text);
	char *via = n && n->via ? strdup(n->via) : NULL;
	uint64_t dropped = d->tree.dropped;
	if (is_link && r == -ENOENT)
		r = look_for_target(d, dir, path, &id);
	if (r == 0 && S_ISDIR(id.mode)) {
		if (is_link && wanted_through(&d->wanted, path))
			scan_enter(d, path);
	} else if (r < 0 || !S_ISREG(id.mode)) {
		if (d->tree.dropped == dropped)
			nothing_there(d, dir, text);
		if (tree_dir(&d->tree, path))
			scan_leave(d, path);
	} else {
		look_at_file(d, dir, text, path, origin, &id, is_link);
	}
	look_via(d, via);
	free(via);
}

void look_again(struct discover *d, struct name *n)
{
	struct identity id;
	char path[PATH_MAX];
	if (!n->source || !scan_join(path, n->dir, n->text))
		return;
	if (identity_of_path(path, true, &id) < 0 || !is_in(n->source, &id)) {
		look_at(d, n->dir, n->text, NULL);
		return;
	}
	struct input *want =
		n->dir->listed && !n->dir->refusal ? wanted_by(&d->wanted, path) : NULL;
	names_link(d, n, n->source, want, NULL, &id);
}
