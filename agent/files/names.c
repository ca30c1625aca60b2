/* Which names lead to a source, and the state that they say: see discover_inside.h. Names come from
 * looking (look.c); here is what they mean to the source.
 *
 * Invariants: s->names is the number of names whose source is s, s->followed of those an input
 * wants. A source in FOLLOWING has a followed name, one in ROTATED has none; one that has lost its
 * last name is in d->nameless until the end of the turn, for a rename takes a name away before it
 * gives another. */
#include "agent/files/discover_inside.h"

#include "agent/files/descriptor.h"
#include "agent/files/elder.h"
#include "agent/files/rotation.h"

#include <limits.h>
#include <stdio.h>

/* The state that its names say, for a source that is being followed. */
static void restate(struct discover *d, struct source *s)
{
	switch (s->state) {
	case SOURCE_FOLLOWING:
	case SOURCE_ROTATED:
	case SOURCE_UNLINKED: break;
	case SOURCE_NEW:
	case SOURCE_STRAY:
	case SOURCE_COPY:
	case SOURCE_MISSING:
	case SOURCE_DRAINED:
	case SOURCE_ENDING:
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

void names_begin(struct discover *d, struct source *s)
{
	struct identity id;
	enum source_state to = SOURCE_FOLLOWING;
	if (s->state != SOURCE_NEW)
		return;
	s->held = false;
	if (!s->input) { /* its input has let it go before it could begin: its place is kept */
		source_move(d->table, s, SOURCE_MISSING);
		return;
	}
	if (!s->followed)
		to = s->names ? SOURCE_ROTATED : SOURCE_UNLINKED;
	if (to == SOURCE_UNLINKED && s->fd >= 0 && identity_of_fd(s->fd, &id) == 0 && id.nlink > 0)
		to = SOURCE_ROTATED;
	source_move(d->table, s, to);
	if (to != SOURCE_FOLLOWING) {
		s->last_growth_ns = d->now_ns;
		leave_add(d, s);
	}
	grown_remember_head(d, s);
	elder_wake(d->table, s);
	if (s->size > s->cursor.offset && !s->behind_since_ns)
		s->behind_since_ns = d->now_ns;
	if (s->cut)
		source_notice(d->table, s);
	source_set_ready(d->table, s);
}

/* The name that its path was has gone: another one of its names is its path now, a followed one if
 * there is one. */
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

void names_unlink(struct discover *d, struct name *n)
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

void names_lost(struct discover *d, struct name *n)
{
	names_unlink(d, n);
	tree_drop_name(&d->tree, n);
}

void names_found(struct discover *d, struct source *s, const struct identity *id)
{
	source_set_file(d->table, s, id->ino, id->btime_ns, id->dev);
	source_move(d->table, s, SOURCE_NEW);
	s->last_growth_ns = d->now_ns;
	/* What is unread is held before it can go away; the others are opened when they grow. */
	if (id->size > s->tail_at)
		grown_open(d, s, s->path);
	grown_look(d, s, id);
	/* What a stray is was not found out before its file could not be seen. */
	if (d->settled && source_was_stray(s))
		begin_fresh(d, s);
	else if (d->settled)
		names_begin(d, s);
}

/* Is it the rotated form of a followed name, rather than a followed name? */
static bool is_rotated_name(const struct source *s, const char *text, const struct origin *origin)
{
	if (origin)
		return rotation_of(span_of(text), path_name(origin->path));
	return s->state == SOURCE_MISSING && s->was != SOURCE_FOLLOWING &&
	       rotation_suffixed(span_of(text));
}

/* The name leads to that source. */
void names_link(struct discover *d, struct name *n, struct source *s, struct input *want,
		const struct origin *origin, const struct identity *id)
{
	char path[PATH_MAX], dir_path[PATH_MAX];
	if (!scan_join(path, n->dir, n->text))
		return;
	(void)snprintf(dir_path, sizeof(dir_path), "%s", n->dir->path);
	if (n->source != s) {
		names_unlink(d, n);
		n->source = s;
		s->names++;
	}
	bool followed = want && !s->copied && !is_rotated_name(s, n->text, origin);
	s->followed += followed;
	s->followed -= n->followed;
	n->followed = followed;
	look_take_input(d, s, want ? want : origin ? origin->input : NULL, path);
	if (s->followed == followed && source_set_path(d->table, s, path) < 0)
		discover_short_of_memory(d);
	if (followed && s->input && *s->input->rotated_dir)
		scan_enter_rotated(d, dir_path, s->input->rotated_dir);
	if (source_is_stray(s))
		stray_names_owner(d, s);
	if (s->state == SOURCE_MISSING && s->input)
		names_found(d, s, id);
	else
		restate(d, s);
}

void names_unfollow(struct discover *d, struct name *n)
{
	if (!n->followed)
		return;
	n->followed = false;
	n->source->followed--;
	restate(d, n->source);
}

static void check_lost(struct discover *d, struct source *s)
{
	struct identity id;
	if (s->names || s->cut)
		return;
	switch (s->state) {
	case SOURCE_FOLLOWING:
	case SOURCE_ROTATED: break;
	case SOURCE_NEW:
	case SOURCE_STRAY:
	case SOURCE_COPY:
	case SOURCE_MISSING:
	case SOURCE_UNLINKED:
	case SOURCE_DRAINED:
	case SOURCE_ENDING:
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
		grown_look(d, s, &id);
	} else {
		s->closing = true; /* nothing of it can be read, unless a copy is found */
		rest_search(d, s);
	}
	s->last_growth_ns = d->now_ns;
	leave_add(d, s);
	source_set_ready(d->table, s);
}

void names_check_lost(struct discover *d)
{
	for (size_t i = 0; i < d->nameless.n; i++)
		check_lost(d, d->nameless.items[i]);
	d->nameless.n = 0;
}

void names_hand_over(struct discover *d, struct source *from, struct source *to)
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

void names_drop(struct discover *d, struct source *s)
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
	elder_wake(d->table, s);
	/* Who walks the table may stand on it. */
	source_move(d->table, s, SOURCE_ENDED);
}
