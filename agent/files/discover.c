/* Discover: see discover.h; discover_inside.h has the map of its files. Called by the agent's loop.
 *
 * A turn (discover_take) takes all events that are there, at most every 50 ms, and only marks and
 * looks: no content is read here but for comparisons of known length. Then, what is due: a poll, a
 * rescan, files that leave. A file of which all that is known is that it was written is looked at
 * by reading it, when its turn comes at once: whatever else happens, and the end of the turns of
 * reading, brings the look before it.
 *
 * Failure modes: events were lost (IN_Q_OVERFLOW): everything is scanned, as every 60 s; there is
 * no inotify instance to be had: everything is polled; memory is short: what could not be noted is
 * found by the next rescan. */
#include "agent/files/discover.h"

#include "agent/files/discover_inside.h"

#include "agent/files/descriptor.h"
#include "agent/files/rotation.h"
#include "common/clock.h"
#include "common/num.h"

#include <errno.h>
#include <inotifytools/inotify.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define RESCAN_NS    (60 * NUM_SEC_NS)
#define POLL_NS      NUM_SEC_NS
#define HURRY_FOR_NS NUM_SEC_NS
#define MOVE_TURNS   2 /* a rename's second event may come in the next turn */

/* --- small things --- */

void discover_short_of_memory(struct discover *d)
{
	log_gated(&d->memory_gate, LOG_LEVEL_ERROR,
		  "memory is short: what could not be looked at is looked at again by the next "
		  "rescan");
}

bool sources_add(struct sources *v, struct source *s)
{
	if (v->n == v->capacity) {
		size_t capacity = v->capacity ? v->capacity * 2 : 16;
		struct source **items = realloc(v->items, capacity * sizeof(*items));
		if (!items)
			return false;
		v->items = items;
		v->capacity = capacity;
	}
	v->items[v->n++] = s;
	return true;
}

void sources_remove(struct sources *v, const struct source *s)
{
	size_t kept = 0;
	for (size_t i = 0; i < v->n; i++)
		if (v->items[i] != s)
			v->items[kept++] = v->items[i];
	v->n = kept;
}

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

static void forget_moves(struct discover *d, bool all)
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

static void on_event(void *user, const struct watch_event *e)
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

/* --- turns --- */

static void rescan(struct discover *d)
{
	grown_stirred(d);
	d->counters.rescans++;
	d->overflow = false;
	d->scanning = true;
	scan_all(d);
	d->scanning = false;
	d->rescan_due_ns = d->now_ns + RESCAN_NS;
}

static void take_events(struct discover *d)
{
	d->heard = false;
	bool all = watch_take(d->watch, on_event, d);
	if (d->heard || d->unseen.n_births)
		d->taken_ns = d->now_ns;
	if (!d->overflow) {
		if (all)
			unseen_settle(d);
		return;
	}
	d->counters.overflows++;
	log_notice("events were lost (fs.inotify.max_queued_events is reached): everything is "
		   "looked at");
	rescan(d);
	unseen_overflow(d);
}

static void settled_work(struct discover *d)
{
	if (d->now_ns >= d->unseen.due_ns)
		unseen_record(d);
	if (d->now_ns >= d->check_due_ns)
		settle_step(d);
	if (d->now_ns >= d->missing_due_ns)
		cut_missing(d);
	if (d->now_ns >= d->match_due_ns)
		match_step(d);
	if (d->now_ns >= d->strays_due_ns)
		stray_step(d);
}

void discover_take(struct discover *d, int64_t now_ns)
{
	d->now_ns = now_ns;
	d->turn++;
	d->restless = false;
	grown_stirred(d);
	/* What was found to be cut is so before the events that came after that. */
	leave_noticed(d);
	if (d->watch && now_ns >= discover_poll_ns(d))
		take_events(d);
	if (discover_next_ns(d) <= now_ns)
		grown_stirred(d);
	bool poll = d->tree.n_polled && now_ns >= d->poll_due_ns;
	if (poll) {
		d->scanning = true;
		scan_polled(d);
		d->scanning = false;
		d->poll_due_ns = now_ns + POLL_NS;
	}
	if (now_ns >= d->rescan_due_ns)
		rescan(d);
	if (d->nameless.n)
		d->deleted_due_ns = 0;
	names_check_lost(d);
	forget_moves(d, false);
	leave_noticed(d);
	if (now_ns >= d->deleted_due_ns)
		deleted_check(d);
	if (d->settled)
		settled_work(d);
	if (now_ns >= d->leave_due_ns)
		leave_check(d);
	leave_noticed(d);
	if (d->settled && (poll || !d->tree.n_polled)) {
		d->since_real_ns = clock_real_ns();
		registry_alive(d->registry, d->since_real_ns);
	}
}

void discover_glance(struct discover *d, int64_t now_ns)
{
	if (d->watch && now_ns >= discover_poll_ns(d))
		discover_take(d, now_ns);
}

void discover_look_at_unread(struct discover *d, int64_t now_ns)
{
	d->now_ns = now_ns;
	grown_stirred(d);
}

int64_t discover_next_ns(const struct discover *d)
{
	int64_t next = d->rescan_due_ns;
	if (d->leave_due_ns < next)
		next = d->leave_due_ns;
	if (d->deleted_due_ns < next)
		next = d->deleted_due_ns;
	if (d->check_due_ns < next)
		next = d->check_due_ns;
	if (d->tree.n_polled && d->poll_due_ns < next)
		next = d->poll_due_ns;
	if (d->unseen.n_births && discover_poll_ns(d) < next)
		next = discover_poll_ns(d);
	if (d->settled) {
		next = d->unseen.due_ns < next ? d->unseen.due_ns : next;
		next = d->match_due_ns < next ? d->match_due_ns : next;
		next = d->strays_due_ns < next ? d->strays_due_ns : next;
		next = d->missing_due_ns < next ? d->missing_due_ns : next;
	}
	return source_any_noticed(d->table) ? 0 : next;
}

int64_t discover_poll_ns(const struct discover *d)
{
	bool hurry = d->taken_ns < d->hurry_until_ns;
	return d->taken_ns + (hurry ? DISCOVER_HURRY_NS : d->cadence_ns);
}

int discover_fd(const struct discover *d)
{
	return d->watch ? watch_fd(d->watch) : -1;
}

/* --- making, changing --- */

static struct wanted wanted_of(const struct discover_config *c)
{
	return (struct wanted){c->inputs, c->n_inputs, c->far ? WANTED_FAR : WANTED_NEAR};
}

static void configure(struct discover *d, const struct discover_config *config)
{
	d->wanted = wanted_of(config);
	d->cadence_ns = config->cadence_ns;
	d->max_open_files = config->max_open_files;
	d->max_deleted = config->max_deleted;
	d->deleted_due_ns = 0;
	descriptor_limit(d->table, config->max_open_files);
}

int discover_new(const struct discover_config *config, struct source_table *t, struct registry *r,
		 struct discover **ret)
{
	struct discover *d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->table = t;
	d->registry = r;
	d->turn = 1;
	d->now_ns = clock_mono_ns();
	d->leave_due_ns = d->check_due_ns = INT64_MAX;
	d->match_due_ns = d->strays_due_ns = d->missing_due_ns = INT64_MAX;
	d->first_start = registry_is_first_start(r);
	d->begun_real_ns = clock_real_ns();
	d->since_real_ns = registry_last_alive_ns(r);
	/* Begun by a run that never heard of the collector. */
	if (d->first_start && d->since_real_ns)
		d->begun_real_ns = d->since_real_ns - REGISTRY_CLOCK_SLACK_NS;
	tree_init(&d->tree);
	d->unseen.due_ns = INT64_MAX;
	configure(d, config);
	d->taken_ns = d->now_ns - d->cadence_ns;
	int e = config->far ? 0 : watch_new(&d->watch);
	if (e < 0)
		log_warning("inotify cannot be used: %s (fs.inotify.max_user_instances?); "
			    "everything is polled each second",
			    strerror(-e));
	rescan(d);
	scan_missing(d);
	names_check_lost(d);
	*ret = d;
	return 0;
}

void discover_free(struct discover *d)
{
	if (!d)
		return;
	settle_free(d);
	match_free(d);
	forget_moves(d, true);
	unseen_free(d);
	tree_free(&d->tree);
	mounts_free(&d->mounts);
	watch_free(d->watch);
	free(d->moves);
	free(d->nameless.items);
	free(d->leaving.items);
	free(d);
}

/* The input that goes on for a source, when inputs have changed; NULL: none wants it. */
static struct input *new_input(const struct wanted *wanted, const struct source *s)
{
	struct input *same = NULL;
	for (size_t i = 0; i < wanted->n && !same; i++)
		if (strcmp(wanted->inputs[i].name, s->input->name) == 0 &&
		    wanted_has(wanted, &wanted->inputs[i]))
			same = &wanted->inputs[i];
	struct wanted only = {same, same ? 1 : 0, wanted->side};
	if (same && (!s->followed || wanted_by(&only, s->path)))
		return same;
	return s->followed ? wanted_by(wanted, s->path) : NULL;
}

/* It stays in the registry as it stands; should an input want it again, it goes on from there. */
static void let_go(struct discover *d, struct source *s)
{
	log_info("%s: no input wants it any more; its place is kept", s->path);
	s->input = NULL;
	/* Whoever was compared with it is compared anew, and it is searched for when an input wants
	 * it again. */
	match_forget(d, s);
	s->searched = false;
	descriptor_close(d->table, s);
	if (s->state != SOURCE_NEW && s->state != SOURCE_MISSING) {
		s->was = s->state;
		source_move(d->table, s, SOURCE_MISSING);
	}
}

int discover_reload(struct discover *d, const struct discover_config *config)
{
	struct wanted wanted = wanted_of(config);
	struct sources gone = {0};
	int r = 0;
	forget_moves(d, true);
	for (struct source *s = source_first(d->table); s && r == 0; s = source_after(d->table, s))
		if (s->input && s->state != SOURCE_ENDED && !new_input(&wanted, s) &&
		    !sources_add(&gone, s))
			r = -ENOMEM;
	if (r < 0) {
		free(gone.items);
		return r;
	}
	for (size_t i = 0; i < gone.n; i++) {
		struct source *s = gone.items[i];
		free(s->input_name);
		s->input_name = strdup(s->input->name);
		let_go(d, s);
	}
	free(gone.items);
	for (struct source *s = source_first(d->table); s; s = source_after(d->table, s))
		if (s->input)
			s->input = new_input(&wanted, s);
	configure(d, config);
	d->now_ns = clock_mono_ns();
	rescan(d);
	names_check_lost(d);
	return 0;
}

void discover_counters(const struct discover *d, struct discover_counters *ret)
{
	*ret = d->counters;
	ret->watches = d->watch ? watch_count(d->watch) : 0;
	ret->polled_dirs = d->tree.n_polled;
	ret->deleted_open_bytes = deleted_bytes(d);
	for (const struct source *s = source_first(d->table); s; s = source_after(d->table, s))
		ret->open_files += s->fd >= 0;
}
