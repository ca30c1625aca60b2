/* Events: see discover_inside.h. Called with each one that was taken, in their order.
 *
 * An event says where to look, and little more: what is there is looked at (look.c). Two things it
 * alone tells: that a name has become another one (a move, of which the two halves are brought
 * together here, by their cookie), and that a file was there which nobody has seen since
 * (unseen.c). */
#include "agent/files/discover_inside.h"

#include "common/num.h"

#include <inotifytools/inotify.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define HURRY_FOR_NS NUM_SEC_NS
#define MOVE_TURNS   2 /* a rename's second event may come in the next turn */

/* --- moves --- */

static void free_move(struct move *m)
{
	free(m->path);
	free(m->origin);
}

static void add_move(struct discover *d, uint32_t cookie, const char *path,
		     const struct origin *origin)
{
	struct move *moves = realloc(d->moves, (d->n_moves + 1) * sizeof(*moves));
	if (!moves) {
		discover_short_of_memory(d);
		return;
	}
	d->moves = moves;
	struct move *m = &moves[d->n_moves];
	*m = (struct move){
		.cookie = cookie,
		.turn = d->turn,
		.path = strdup(path),
		.input = origin->input,
		.origin = strdup(origin->path),
		.known = origin->known,
	};
	if (m->path && m->origin)
		d->n_moves++;
	else
		free_move(m);
}

static struct move *find_move(struct discover *d, uint32_t cookie, const char *path)
{
	for (size_t i = d->n_moves; i-- > 0;)
		if (cookie ? d->moves[i].cookie == cookie
			   : !d->moves[i].cookie && strcmp(d->moves[i].path, path) == 0)
			return &d->moves[i];
	return NULL;
}

static struct origin origin_of(const struct move *m)
{
	return (struct origin){m->input, m->origin, m->known};
}

void events_forget_moves(struct discover *d, bool all)
{
	size_t kept = 0;
	for (size_t i = 0; i < d->n_moves; i++) {
		if (all || d->turn - d->moves[i].turn >= MOVE_TURNS)
			free_move(&d->moves[i]);
		else
			d->moves[kept++] = d->moves[i];
	}
	d->n_moves = kept;
}

/* --- events --- */

/* A file leaves this name: remembers what it was, for the name that it goes to. */
static void moved_from(struct discover *d, struct dir *dir, const char *path,
		       const struct watch_event *e)
{
	struct name *n = tree_name(&d->tree, dir, e->name);
	struct move *trace = find_move(d, 0, path);
	struct input *input = dir->listed && !dir->refusal ? wanted_by(&d->wanted, path) : NULL;
	const struct source *s = n ? n->source : NULL;
	struct origin origin = {input, path, s != NULL};
	if (!input && s && s->input)
		origin = (struct origin){s->input, s->path, true};
	else if (!input && trace)
		origin = origin_of(trace);
	if (origin.input)
		add_move(d, e->cookie, path, &origin);
	look_at(d, dir, e->name, NULL);
}

static void moved_to(struct discover *d, struct dir *dir, const char *path,
		     const struct watch_event *e)
{
	struct move *m = find_move(d, e->cookie, path);
	if (!m) {
		look_at(d, dir, e->name, NULL);
		return;
	}
	struct origin origin = origin_of(m);
	look_at(d, dir, e->name, &origin);
	/* It may have gone on from here already: the trace tells what it was. */
	m = find_move(d, e->cookie, path);
	if (m && !tree_name(&d->tree, dir, e->name))
		add_move(d, 0, path, &origin);
}

/* What the event says of files that were never found. */
static void tell_unseen(struct discover *d, struct dir *dir, const char *path,
			const struct watch_event *e, bool moved_here)
{
	const struct name *n = tree_name(&d->tree, dir, e->name);
	struct source *s = n ? n->source : NULL;
	bool wanted = dir->listed && !dir->refusal && wanted_by(&d->wanted, path);
	if (e->mask & IN_MODIFY) {
		unseen_written(d, path);
	} else if (e->mask & IN_DELETE) {
		unseen_gone(d, path);
	} else if (e->mask & IN_MOVED_FROM) {
		unseen_moves(d, path, e->cookie);
	} else if (e->mask & IN_MOVED_TO) {
		if (!unseen_moved(d, path, e->cookie) && !moved_here && wanted)
			unseen_made(d, path, true);
	} else if (e->mask & IN_CREATE && wanted && !(s && s->names > 1)) {
		unseen_made(d, path, false); /* and it is not another name for a file */
	}
	if (e->mask & (IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO) && (wanted || s))
		d->hurry_until_ns = d->now_ns + HURRY_FOR_NS;
}

/* Something else than writing: what was written before is known when that is judged, and later
 * writes of this turn at once. */
static void look_first(struct discover *d)
{
	d->restless = true;
	grown_stirred(d);
}

static void file_event(struct discover *d, struct dir *dir, const struct watch_event *e)
{
	char path[PATH_MAX];
	struct name *n = tree_name(&d->tree, dir, e->name);
	uint64_t dropped = d->tree.dropped;
	if (dir->orphan) {
		/* Its path is not known, so a name in it cannot be looked at. */
		if (n && e->mask & (IN_DELETE | IN_MOVED_FROM))
			names_lost(d, n);
		else if (n && n->source)
			grown_event(d, n->source);
		return;
	}
	if (e->mask & IN_MODIFY && n && n->source && !d->unseen.n_births) {
		grown_event(d, n->source); /* as most events go */
		return;
	}
	if (!scan_join(path, dir, e->name) || (!n && !dir->full && !wanted_below(&d->wanted, path)))
		return;
	bool moved_here = e->mask & IN_MOVED_TO && find_move(d, e->cookie, path);
	if (e->mask & (IN_MODIFY | IN_ATTRIB) && n && n->source) {
		grown_event(d, n->source);
	} else if (e->mask & IN_MOVED_FROM) {
		moved_from(d, dir, path, e);
	} else if (e->mask & IN_MOVED_TO) {
		moved_to(d, dir, path, e);
	} else if (n || e->mask & IN_CREATE || (dir->full && wanted_by(&d->wanted, path))) {
		look_first(d);
		look_at(d, dir, e->name, NULL);
	}
	/* A directory that several paths lead to has one truth; and what was looked at may be
	 * gone. */
	if (d->tree.dropped == dropped && dir == tree_by_wd(&d->tree, e->wd))
		tell_unseen(d, dir, path, e, moved_here);
}

static void dir_event(struct discover *d, struct dir *dir, const struct watch_event *e)
{
	char path[PATH_MAX];
	if (dir->orphan || !scan_join(path, dir, e->name))
		return;
	if (e->mask & IN_MOVED_FROM) {
		scan_moved_away(d, path);
	} else if (e->mask & IN_DELETE) {
		scan_leave(d, path);
	} else if (strcmp(e->name, ".haul") == 0) {
		char own[PATH_MAX];
		(void)snprintf(own, sizeof(own), "%s", dir->path);
		scan_leave(d, own);
		scan_enter(d, own);
	} else if (dir->listed && !dir->refusal && e->mask & (IN_CREATE | IN_MOVED_TO)) {
		if (dir->full)
			scan_enter(d, path);
		else if (wanted_below(&d->wanted, path))
			scan_dir(d, dir);
	}
}

/* About the directory itself. */
static void self_event(struct discover *d, struct dir *dir, uint32_t mask)
{
	char path[PATH_MAX];
	(void)snprintf(path, sizeof(path), "%s", dir->path);
	if (mask & IN_IGNORED)
		tree_set_wd(&d->tree, dir, -1);
	if (dir->orphan) {
		if (mask & IN_IGNORED)
			scan_drop(d, dir);
		return;
	}
	if (mask & (IN_DELETE_SELF | IN_IGNORED | IN_UNMOUNT)) {
		scan_leave(d, path);
		scan_enter(d, path);
		scan_above(d, path);
	} else if (mask & IN_MOVE_SELF) {
		struct identity id;
		if (identity_of_path(path, true, &id) == 0 && id.ino == dir->ino &&
		    id.dev == dir->dev)
			return;
		scan_moved_away(d, path);
		scan_above(d, path);
	}
}

void events_take(void *user, const struct watch_event *e)
{
	struct discover *d = user;
	d->heard = true;
	if (e->wd < 0) {
		d->overflow = true;
		return;
	}
	if (!(e->mask & IN_MODIFY))
		look_first(d);
	/* Two paths may lead to one directory; what is done for one may drop another. */
	for (struct dir *dir = tree_by_wd(&d->tree, e->wd), *next; dir; dir = next) {
		uint64_t dropped = d->tree.dropped;
		next = dir->same_wd;
		if (!*e->name)
			self_event(d, dir, e->mask);
		else if (e->mask & IN_ISDIR)
			dir_event(d, dir, e);
		else
			file_event(d, dir, e);
		if (d->tree.dropped != dropped)
			break;
	}
}
