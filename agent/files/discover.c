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
#include "common/clock.h"
#include "common/num.h"

#include <errno.h>
#include <inotifytools/inotify.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define RESCAN_NS (60 * NUM_SEC_NS)
#define POLL_NS   NUM_SEC_NS

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
	bool all = watch_take(d->watch, events_take, d);
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
	events_forget_moves(d, false);
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
	events_forget_moves(d, true);
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
	events_forget_moves(d, true);
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
