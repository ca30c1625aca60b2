/* The append thread's work: see appender.h. append_thread.c feeds it what is durable in the WAL.
 *
 * Happy path of a shard: look at the live file (one fstatat), write its queue (one writev).
 *
 * What can go wrong with a file, and what follows:
 *   it is not there yet           made, with its directories
 *   removed, renamed, replaced    a new segment; what was written to the old one is noted as gone
 *   cut                           what is left is closed under its number; a new segment; noted
 *   longer than it was left       likewise: nothing is put behind foreign bytes
 *   a directory is a link now     set aside, as anything that is none of ours; then as removed
 *   it may not be opened          closed under its number; a new segment
 *   no room                       the caller comes again; a half-written queue goes on where it stopped
 *   any other error               final: the store fails, recovery writes the lines to their places
 *
 * "A new segment" first makes the move durable in the WAL (the `move` call-back), then writes:
 * whenever the process dies, recovery knows where the lines are. */
#include "collector/store/appender.h"

#include "collector/store/today.h"
#include "common/array.h"
#include "common/civil.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/num.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

void appender_init(struct appender *a, const struct tree *tree, size_t max_open,
		   appender_move *move, void *user)
{
	*a = (struct appender){.tree = tree, .max_open = max_open, .move = move, .user = user};
	list_init(&a->all);
	list_init(&a->open);
	list_init(&a->changed);
	list_init(&a->queued);
	a->today = civil_day_of_us(clock_real_ns() / NUM_US_NS);
}

/* Others may read the count at any time. */
static void count_open(struct appender *a, int change)
{
	__atomic_store_n(&a->n_open, a->n_open + (size_t)change, __ATOMIC_RELAXED);
}

static void forget(struct appender *a, struct segment *s)
{
	if (s->fd >= 0)
		count_open(a, -1);
	if (s->shard->segment == s)
		s->shard->segment = NULL;
	segment_free(s);
}

void appender_free(struct appender *a)
{
	for (struct list_node *n; (n = list_first(&a->all));)
		forget(a, LIST_ENTRY(n, struct segment, all));
	free(a->retired);
	free(a->notes);
}

void appender_adopt(struct appender *a, struct segment *s)
{
	s->shard->segment = s;
	list_add_last(&a->all, &s->all);
	if (s->fd >= 0) {
		list_add_last(&a->open, &s->open);
		count_open(a, 1);
	}
}

void appender_changed(struct appender *a, struct segment *s)
{
	if (!list_linked(&s->changed))
		list_add_last(&a->changed, &s->changed);
}

/* --- what is to be reported --- */

int appender_retired(struct appender *a, const struct segment *s, enum segment_state state)
{
	int r = array_room(&a->retired, a->n_retired, &a->retired_capacity, sizeof(*a->retired));
	if (r == 0)
		a->retired[a->n_retired++] = segment_row(s, state);
	return r;
}

int appender_note(struct appender *a, const struct segment *s, const char *what, uint64_t from,
		  uint64_t to)
{
	if (from == to)
		return 0;
	int r = array_room(&a->notes, a->n_notes, &a->notes_capacity, sizeof(*a->notes));
	if (r == 0)
		a->notes[a->n_notes++] = (struct archive_note){
			.day = s->shard->day,
			.service = shard_service(s->shard),
			.host = shard_host(s->shard),
			.number = s->number,
			.from = from,
			.to = to,
			.what = what,
			.time_us = clock_real_ns() / NUM_US_NS,
		};
	return r;
}

int appender_report(struct appender *a, struct appender_report *ret)
{
	size_t n = a->n_retired;
	for (struct list_node *l = list_first(&a->changed); l; l = list_next(&a->changed, l))
		n++;
	struct segment_row *rows = realloc(a->retired, (n + 1) * sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	n = a->n_retired;
	for (struct list_node *l; (l = list_take_first(&a->changed));)
		rows[n++] = segment_row(LIST_ENTRY(l, struct segment, changed), SEGMENT_STATE_LIVE);
	*ret = (struct appender_report){.rows = rows,
					.n_rows = n,
					.notes = a->notes,
					.n_notes = a->n_notes,
					.names_changed = a->names_changed};
	a->retired = NULL;
	a->notes = NULL;
	a->n_retired = a->retired_capacity = a->n_notes = a->notes_capacity = 0;
	a->names_changed = false;
	return 0;
}

void appender_report_free(struct appender_report *r)
{
	free(r->rows);
	free(r->notes);
	*r = (struct appender_report){0};
}

/* --- descriptors --- */

static void close_file(struct appender *a, struct segment *s)
{
	list_remove(&s->open);
	file_close(&s->fd);
	count_open(a, -1);
}

static void opened(struct appender *a, struct segment *s)
{
	list_add_last(&a->open, &s->open);
	count_open(a, 1);
	while (a->n_open > a->max_open)
		close_file(a, LIST_ENTRY(list_first(&a->open), struct segment, open));
}

/* Opens or makes; when descriptors run out, others are closed for it. */
static int open_file(struct appender *a, struct segment *s)
{
	for (;;) {
		bool make = !s->made;
		int r = make ? segment_make(a->tree, s) : segment_reopen(a->tree, s);
		if ((r == -EMFILE || r == -ENFILE) && a->n_open) {
			close_file(a, LIST_ENTRY(list_first(&a->open), struct segment, open));
			continue;
		}
		if (r == 0) {
			opened(a, s);
			a->names_changed |= make;
		}
		return r;
	}
}

static void used(struct appender *a, struct segment *s)
{
	list_remove(&s->open);
	list_add_last(&a->open, &s->open);
}

/* --- today --- */

static void link_today(struct appender *a, struct segment *s)
{
	if (s->linked || s->shard->day != a->today || !s->made)
		return;
	int r = today_link(a->tree, s->shard->day, shard_service(s->shard), shard_host(s->shard));
	if (r < 0)
		log_gated(&a->today_gate, LOG_LEVEL_WARNING,
			  "today/: cannot make a link: %s; lines are written all the same",
			  strerror(-r));
	else
		log_gate_clear(&a->today_gate, "today/: links can be made again");
	s->linked = r == 0;
}

void appender_tick(struct appender *a)
{
	int64_t now_us = clock_real_ns() / NUM_US_NS;
	int32_t today = civil_day_of_us(now_us);
	if (today != a->today) {
		a->today = today;
		a->swept = false;
		/* Lines of today may have come yesterday, from a clock that is ahead. */
		for (struct list_node *n = list_first(&a->all); n; n = list_next(&a->all, n)) {
			struct segment *s = LIST_ENTRY(n, struct segment, all);
			s->linked = false;
			link_today(a, s);
		}
	}
	if (a->swept || now_us - today * NUM_DAY_US < NUM_DAY_US / 24)
		return;
	a->swept = true;
	int r = today_sweep(a->tree, today);
	if (r < 0)
		log_warning("today/: cannot remove stale links: %s; tomorrow again", strerror(-r));
}

/* --- trouble --- */

static bool has_file(enum segment_trouble trouble)
{
	return trouble == SEGMENT_CUT || trouble == SEGMENT_GROWN || trouble == SEGMENT_LOCKED;
}

/* What becomes of the file that is not written to any more. */
static int abandon(struct appender *a, struct segment *s, enum segment_trouble trouble,
		   uint64_t size)
{
	enum segment_state state = SEGMENT_STATE_GONE;
	uint64_t length = s->length;
	int r = 0;
	if (has_file(trouble)) {
		r = segment_retire(a->tree, s);
		if (r == -ESTALE)
			trouble = SEGMENT_MISSING;
		else if (r < 0)
			return r;
	}
	if (has_file(trouble)) {
		state = SEGMENT_STATE_CLOSED;
		a->names_changed = true;
		s->length = size;
		s->crc_known &= trouble == SEGMENT_LOCKED;
	}
	if (trouble == SEGMENT_CUT)
		r = appender_note(a, s, "cut", size, length);
	else if (has_file(trouble))
		r = appender_note(a, s, "foreign", length, size);
	else
		r = appender_note(a, s, "gone", 0, length);
	return r < 0 ? r : appender_retired(a, s, state);
}

static int next_segment(struct appender *a, struct segment *old, enum segment_trouble trouble,
			uint64_t size, struct segment **ret)
{
	struct shard *shard = old->shard;
	segment_settle(old);
	struct place from = {.number = old->number, .position = old->length};
	uint32_t number;
	int r = a->move(a->user, shard, from, !has_file(trouble), &number);
	if (r < 0)
		return r;
	char path[SEGMENT_PATH_MAX];
	segment_path(old, path);
	log_warning("%s: the live file %s (it had %llu bytes); its lines go on in segment %u", path,
		    segment_trouble_text(trouble), (unsigned long long)old->length, number);
	struct segment *s = segment_new(shard, number);
	r = s ? segment_hand_over(old, s) : -ENOMEM;
	if (r == 0)
		r = abandon(a, old, trouble, size);
	if (r < 0) {
		segment_free(s);
		return r;
	}
	bool queued = list_linked(&old->queued);
	forget(a, old);
	appender_adopt(a, s);
	if (queued)
		list_add_first(&a->queued, &s->queued);
	*ret = s;
	return 0;
}

/* --- lines --- */

int appender_queue(struct appender *a, struct shard *shard, struct place place,
		   const struct segment_lines *lines)
{
	struct segment *s = shard->segment;
	if (!s) {
		s = segment_new(shard, place.number);
		if (!s)
			return -ENOMEM;
		appender_adopt(a, s);
	}
	assert(place.number == s->number && place.position == s->end);
	int r = segment_queue(s, lines);
	if (r == 0 && !list_linked(&s->queued))
		list_add_last(&a->queued, &s->queued);
	return r;
}

static bool may_not(int error)
{
	return error == -EACCES || error == -EPERM;
}

/* Makes sure that what is written next stands behind what was written last. */
static int make_ready(struct appender *a, struct segment **segment)
{
	bool locked = false;
	for (;;) {
		struct segment *s = *segment;
		enum segment_trouble trouble = SEGMENT_FINE;
		uint64_t size = 0;
		int r = s->made ? segment_look(a->tree, s, &trouble, &size) : 0;
		if (r == 0 && trouble == SEGMENT_FINE && locked)
			trouble = SEGMENT_LOCKED;
		if (r == 0 && trouble != SEGMENT_FINE)
			r = next_segment(a, s, trouble, size, segment);
		if (r < 0)
			return r;
		s = *segment;
		if (s->fd < 0)
			r = open_file(a, s);
		if (r == 0) {
			used(a, s);
			link_today(a, s);
			return 0;
		}
		/* Taken away since it was looked at, or nobody may open it: look again. */
		locked = may_not(r) && s->made;
		if (r != -ESTALE && !locked && !(r == -ENOENT && s->made))
			return r;
	}
}

int appender_flush(struct appender *a)
{
	for (struct list_node *n; (n = list_first(&a->queued));) {
		struct segment *s = LIST_ENTRY(n, struct segment, queued);
		int r = make_ready(a, &s);
		if (r == 0) {
			appender_changed(a, s);
			r = segment_write(s);
		}
		if (r < 0)
			return r;
		list_remove(&s->queued);
	}
	return 0;
}

int appender_close(struct appender *a, struct shard *shard, uint32_t number)
{
	struct segment *s = shard->segment;
	/* Its lines may have moved since the checkpoint said so. */
	if (!s || s->number != number)
		return 0;
	assert(s->n_queue == 0);
	enum segment_trouble trouble;
	uint64_t size = 0;
	int r = segment_look(a->tree, s, &trouble, &size);
	if (r < 0)
		return r;
	if (trouble == SEGMENT_FINE) {
		r = segment_retire(a->tree, s);
		if (r == -ESTALE)
			trouble = SEGMENT_MISSING;
	}
	if (trouble == SEGMENT_FINE) {
		a->names_changed = true;
		if (r == 0)
			r = appender_retired(a, s, SEGMENT_STATE_CLOSED);
	} else {
		char path[SEGMENT_PATH_MAX];
		segment_path(s, path);
		log_warning("%s: the live file %s (it had %llu bytes)", path,
			    segment_trouble_text(trouble), (unsigned long long)s->length);
		r = abandon(a, s, trouble, size);
	}
	if (r == 0)
		forget(a, s);
	return r;
}
