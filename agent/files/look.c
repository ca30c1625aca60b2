/* What a name leads to: see discover_inside.h. Called for every name that an event, a scan or a rename is about.
 *
 * Nothing here believes an event: the name is looked at (statx) and the answer compared with what is known, so it
 * does not matter how many events were merged, lost, or are old by the time they are read. Events only say where
 * to look, and for one thing more: that a file which no glob names was moved there from a name that a
 * glob does name (origin).
 *
 * Invariants: s->names is the number of names whose source is s, s->followed of those an input wants. A source
 * in FOLLOWING has a followed name, one in ROTATED has none; one that has lost its last name is in
 * d->nameless until the end of the turn, for a rename takes a name away before it gives another. */
#include "agent/files/discover_inside.h"

#include "agent/files/descriptor.h"
#include "agent/files/follow.h"
#include "agent/files/heir.h"
#include "agent/files/past.h"
#include "agent/files/rotation.h"
#include "agent/files/service_name.h"
#include "agent/files/sniff.h"
#include "common/clock.h"
#include "common/crc64.h"
#include "common/file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINK_HOPS = 40 };

/* --- states ----------------------------------------------------------------------------------------- */

/* The state that its names say, for a source that is being followed. */
static void restate(struct discover *d, struct source *s)
{
	switch (s->state) {
	case SOURCE_FOLLOWING:
	case SOURCE_ROTATED:
	case SOURCE_UNLINKED: break;
	case SOURCE_NEW:
	case SOURCE_STRAY:
	case SOURCE_MISSING:
	case SOURCE_DRAINED:
	case SOURCE_ENDED: return;
	}
	if (s->cut)
		return;
	if (s->followed) {
		source_move(d->table, s, SOURCE_FOLLOWING);
		s->closing = false;
	} else if (s->names && s->state != SOURCE_ROTATED) {
		source_move(d->table, s, SOURCE_ROTATED);
		s->closing = false;
		s->last_growth_ns = d->now_ns;
		leave_add(d, s);
	}
	source_set_ready(d->table, s);
}

void look_begin(struct discover *d, struct source *s)
{
	struct identity id;
	enum source_state to = SOURCE_FOLLOWING;
	if (s->state != SOURCE_NEW)
		return;
	s->held = false;
	if (!s->followed)
		to = s->names ? SOURCE_ROTATED : SOURCE_UNLINKED;
	if (to == SOURCE_UNLINKED && s->fd >= 0 && identity_of_fd(s->fd, &id) == 0 && id.nlink > 0)
		to = SOURCE_ROTATED;
	source_move(d->table, s, to);
	if (to != SOURCE_FOLLOWING) {
		s->last_growth_ns = d->now_ns;
		leave_add(d, s);
	}
	look_remember_head(d, s);
	heir_wake(d->table, s);
	if (s->size > s->cursor.offset && !s->behind_since_ns)
		s->behind_since_ns = d->now_ns;
	if (s->cut)
		source_notice(d->table, s);
	source_set_ready(d->table, s);
}

/* --- names ------------------------------------------------------------------------------------------ */

/* The name that its path was has gone: another one of its names is its path now, a followed one if there is one. */
static void set_other_path(struct discover *d, struct source *s)
{
	char path[PATH_MAX];
	struct name *best = NULL;
	size_t cursor = 0;
	for (struct name *n; (n = map_next(&d->tree.names, &cursor)) != NULL;)
		if (n->source == s && !n->dir->orphan && (!best || n->followed > best->followed))
			best = n;
	if (best && scan_join(path, best->dir, best->text) &&
	    source_set_path(d->table, s, path) < 0)
		discover_short_of_memory(d);
}

static void unlink_name(struct discover *d, struct name *n)
{
	struct source *s = n->source;
	char path[PATH_MAX];
	if (!s)
		return;
	n->source = NULL;
	s->names--;
	s->followed -= n->followed;
	n->followed = false;
	if (s->names == 0) {
		(void)sources_add(&d->nameless, s);
		return;
	}
	if (scan_join(path, n->dir, n->text) && strcmp(path, s->path) == 0)
		set_other_path(d, s);
	restate(d, s);
}

void look_lost(struct discover *d, struct name *n)
{
	unlink_name(d, n);
	tree_drop_name(&d->tree, n);
}

struct names { /* owned */
	char *service, *instance;
};

static void names_free(struct names *n)
{
	free(n->service);
	free(n->instance);
}

static int names_of(const struct input *input, const char *path, struct names *ret)
{
	struct buf service = BUF_EMPTY, instance = BUF_EMPTY;
	struct names n = {NULL, NULL};
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
		names_free(&n);
		return -ENOMEM;
	}
	*ret = n;
	return 0;
}

/* Sources get a name's input before anything of them is shipped; later it stays. */
static void take_input(struct discover *d, struct source *s, struct input *want, const char *path)
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
	struct names names;
	if (first || names_of(want, path, &names) < 0)
		return;
	if (source_set_path(d->table, s, path) == 0) {
		char *service = s->service, *instance = s->instance;
		s->service = names.service;
		s->instance = names.instance;
		names = (struct names){service, instance};
	}
	names_free(&names);
}

/* Opens a file at once: it may have no name a moment later. */
static void open_now(struct discover *d, struct source *s, const char *path)
{
	struct identity id;
	int fd = -1, r;
	if (!descriptor_make_room(d->table))
		return;
	r = identity_open(path, &id, &fd);
	if (r < 0) {
		s->last_error = -r;
		log_gated(&s->error_gate, LOG_LEVEL_WARNING,
			  "%s cannot be opened: %s; it is tried again", path, strerror(-r));
		return;
	}
	if (id.ino != s->ino || id.btime_ns != s->btime_ns || id.dev != s->dev)
		file_close(&fd);
	else
		descriptor_give(d->table, s, fd);
	look_remember_head(d, s);
}

static void found(struct discover *d, struct source *s, const struct identity *id)
{
	source_set_file(d->table, s, id->ino, id->btime_ns, id->dev);
	source_move(d->table, s, SOURCE_NEW);
	s->last_growth_ns = d->now_ns;
	/* What is unread is held before it can go away; the others are opened when they grow. */
	if (id->size > s->tail_at)
		open_now(d, s, s->path);
	look_grown(d, s, id);
	if (d->settled)
		look_begin(d, s);
}

/* Is it the rotated form of a followed name, rather than a followed name? */
static bool is_rotated_name(const struct source *s, const char *text, const struct origin *origin)
{
	if (origin)
		return rotation_of(span_of(text), path_name(origin->path));
	return s->state == SOURCE_MISSING && !s->was_followed && rotation_suffixed(span_of(text));
}

/* The name leads to that source. */
static void link_name(struct discover *d, struct name *n, struct source *s, struct input *want,
		      const struct origin *origin, const struct identity *id)
{
	char path[PATH_MAX], dir_path[PATH_MAX];
	if (!scan_join(path, n->dir, n->text))
		return;
	(void)snprintf(dir_path, sizeof(dir_path), "%s", n->dir->path);
	if (n->source != s) {
		unlink_name(d, n);
		n->source = s;
		s->names++;
	}
	bool followed = want && !s->copied && !is_rotated_name(s, n->text, origin);
	s->followed += followed;
	s->followed -= n->followed;
	n->followed = followed;
	take_input(d, s, want ? want : origin ? origin->input : NULL, path);
	if (s->followed == followed && source_set_path(d->table, s, path) < 0)
		discover_short_of_memory(d);
	if (followed && s->input && *s->input->rotated_dir)
		scan_enter_rotated(d, dir_path, s->input->rotated_dir);
	if (s->state == SOURCE_STRAY)
		stray_names_owner(d, s);
	if (s->state == SOURCE_MISSING && s->input)
		found(d, s, id);
	else
		restate(d, s);
}

/* --- files ------------------------------------------------------------------------------------------ */

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
		    (!s->was_followed || wanted_by(&only, s->path)))
			return only.inputs;
	}
	return wanted_by(&d->wanted, s->path);
}

/* The first bytes of a file of which nothing has been read yet: should it be compressed or copied before that,
 * they tell which one it was. */
void look_remember_head(struct discover *d, struct source *s)
{
	char head[FOLLOW_CHECK_BYTES];
	const struct rung *known = ladder_find(&s->ladder, UINT64_MAX);
	uint64_t end = s->start + sizeof(head) < s->size ? s->start + sizeof(head) : s->size;
	/* Of one that was known before the start it is not sure yet that it is the same. */
	if (s->recorded && s->state == SOURCE_NEW)
		return;
	if (known && follow_check(s) <= 0)
		return;
	if (s->tail_at != s->start || s->fd < 0 || s->compressed || end <= s->start ||
	    (known && known->offset >= end))
		return;
	size_t n = (size_t)(end - s->start);
	if (file_pread_full(s->fd, head, n, s->start) != (ssize_t)n ||
	    sniff_gzip(span_make(head, n)))
		return;
	if (!s->ladder.n)
		s->begun_ns = clock_real_ns(); /* only now others can be compared with it */
	ladder_add(&s->ladder, s->start, end, crc64_add(CRC64_EMPTY, head, n));
	source_touch(d->table, s);
}

void look_grown(struct discover *d, struct source *s, const struct identity *id)
{
	if (s->cut || s->refusal)
		return;
	if (!s->compressed && id->size < s->tail_at) {
		s->cut = true;
		source_notice(d->table, s);
		return;
	}
	s->dev = id->dev;
	if (s->compressed) {
		if (id->size != s->candidate_size) {
			s->candidate_size = id->size;
			s->last_growth_ns = d->now_ns;
			source_set_ready(d->table, s);
		}
		return;
	}
	if (id->size != s->size) {
		int same = follow_check(s);
		if (same == 0) {
			s->cut = true;
			source_notice(d->table, s);
			return;
		}
		s->size = id->size;
		if (same > 0)
			s->sure_size = s->size;
		look_remember_head(d, s);
		s->last_growth_ns = d->now_ns;
		s->closing = false;
		if (s->state == SOURCE_ROTATED)
			leave_add(d, s);
	}
	if (s->size > s->tail_at || s->last_error) {
		if (!s->behind_since_ns)
			s->behind_since_ns = d->now_ns;
		source_set_ready(d->table, s);
	}
}

void look_modified(struct discover *d, struct source *s)
{
	struct identity id;
	if (s->event == d->turn)
		return;
	s->event = d->turn;
	if (s->refusal)
		return;
	/* Opened at the first event: the next one may be that it was deleted. */
	if (s->fd < 0 && s->state != SOURCE_MISSING && descriptor_make_room(d->table) &&
	    descriptor_open(d->table, s) < 0) {
		source_set_ready(d->table, s); /* reading it says what is wrong */
		return;
	}
	if (s->fd >= 0 && identity_of_fd(s->fd, &id) == 0)
		look_grown(d, s, &id);
	source_set_ready(d->table, s);
}

struct source *look_make(struct discover *d, const char *path, const struct identity *id,
			 struct input *input, const char *origin_path)
{
	struct source *s = NULL;
	struct names names;
	struct source_config c = {
		.path = path,
		.ino = id->ino,
		.btime_ns = id->btime_ns,
		.dev = id->dev,
		.input = input,
	};
	int r = names_of(input, origin_path, &names);
	if (r == 0) {
		c.service = names.service;
		c.instance = names.instance;
		r = stream_id_random(&c.id);
		if (r == 0)
			r = source_add(d->table, &c, &s);
		names_free(&names);
	}
	if (r < 0 || !s) {
		discover_short_of_memory(d);
		return NULL;
	}
	s->size = s->sure_size = id->size;
	s->last_growth_ns = d->now_ns;
	s->created_ns = s->begun_ns = clock_real_ns();
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
		open_now(d, s, path);
	}
	return s;
}

/* --- symbolic links --------------------------------------------------------------------------------- */

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

/* Every name that the link leads over is watched for changes of what is behind it; the last one is the file's
 * own, in whose directory its writes are seen. */
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
		if (!n->source && identity_of_path(at, false, &id) == 0 && S_ISREG(id.mode)) {
			n->source = s;
			s->names++;
		}
	}
}

/* --- looking ---------------------------------------------------------------------------------------- */

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
		unlink_name(d, n); /* it may come back, and the link with it */
	else if (n)
		look_lost(d, n);
}

static void look_at_file(struct discover *d, struct dir *dir, const char *text, const char *path,
			 const struct origin *origin, const struct identity *id, bool is_link)
{
	struct name *n = tree_name(&d->tree, dir, text);
	if (n && n->source && is_in(n->source, id) && n->source->state != SOURCE_MISSING) {
		look_grown(d, n->source, id);
		return;
	}
	struct input *want = dir->listed && !dir->refusal ? wanted_by(&d->wanted, path) : NULL;
	struct source *s = look_find(d, id);
	char original[PATH_MAX];
	struct origin rotated;
	if (!s && !want && !origin && !is_link && stray_is_young(d, id) &&
	    stray_origin(d, dir, text, &rotated, original))
		origin = &rotated;
	/* A link of no input's leads to a followed file: that is the file's own affair. */
	if (is_link && !want)
		s = NULL;
	else if (!s && (want || origin))
		s = look_new(d, path, id, want, origin);
	else if (s && s->state != SOURCE_MISSING)
		look_grown(d, s, id);
	if (!s) {
		if (n)
			unlink_name(d, n);
		if (n && !n->via)
			tree_drop_name(&d->tree, n);
		return;
	}
	n = name_of(d, dir, text);
	if (!n)
		return;
	link_name(d, n, s, want, origin, id);
	if (is_link)
		look_along(d, path, s);
	if (d->settled && s->state == SOURCE_NEW && !s->held)
		settle_fresh(d, s);
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
	if (r == 0 && S_ISDIR(id.mode)) {
		if (is_link && wanted_through(&d->wanted, path))
			scan_enter(d, path);
	} else if (r < 0 || !S_ISREG(id.mode)) {
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
	link_name(d, n, n->source, want, NULL, &id);
}

void look_unfollow(struct discover *d, struct name *n)
{
	if (!n->followed)
		return;
	n->followed = false;
	n->source->followed--;
	restate(d, n->source);
}

/* --- without a name --------------------------------------------------------------------------------- */

static void look_at_nameless(struct discover *d, struct source *s)
{
	struct identity id;
	if (s->names || s->cut)
		return;
	switch (s->state) {
	case SOURCE_FOLLOWING:
	case SOURCE_ROTATED: break;
	case SOURCE_NEW:
	case SOURCE_STRAY:
	case SOURCE_MISSING:
	case SOURCE_UNLINKED:
	case SOURCE_DRAINED:
	case SOURCE_ENDED: return;
	}
	int r = descriptor_open(d->table, s);
	if (r == 0)
		r = identity_of_fd(s->fd, &id);
	if (r == 0 && id.nlink > 0) {
		source_move(d->table, s, SOURCE_ROTATED);
	} else {
		source_move(d->table, s, SOURCE_UNLINKED);
	}
	if (r == 0) {
		look_grown(d, s, &id);
	} else {
		s->closing = true; /* nothing of it can be read, unless a copy is found */
		rest_search(d, s);
	}
	s->last_growth_ns = d->now_ns;
	leave_add(d, s);
	source_set_ready(d->table, s);
}

void look_nameless(struct discover *d)
{
	for (size_t i = 0; i < d->nameless.n; i++)
		look_at_nameless(d, d->nameless.items[i]);
	d->nameless.n = 0;
}

/* --- handing over and dropping ---------------------------------------------------------------------- */

void look_rename_all(struct discover *d, struct source *from, struct source *to)
{
	size_t cursor = 0;
	for (struct name *n; from->names && (n = map_next(&d->tree.names, &cursor)) != NULL;) {
		if (n->source != from)
			continue;
		n->source = to;
		from->names--;
		from->followed -= n->followed;
		n->followed = n->followed && !to->copied;
		to->names++;
		to->followed += n->followed;
	}
}

void look_drop(struct discover *d, struct source *s)
{
	size_t cursor = 0;
	for (struct name *n; s->names && (n = map_next(&d->tree.names, &cursor)) != NULL;) {
		if (n->source == s) {
			n->source = NULL;
			s->names--;
		}
	}
	leave_remove(d, s);
	settle_forget(d, s);
	match_forget(d, s);
	sources_remove(&d->nameless, s);
	heir_wake(d->table, s);
	/* Who walks the table may stand on it. */
	source_move(d->table, s, SOURCE_ENDED);
}
