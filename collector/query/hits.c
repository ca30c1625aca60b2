/* Collecting hits: see hits.h.
 *
 * A day's hits are sorted when the day is read. Where that would keep who asked waiting it is read
 * in rounds: at once when the index knows the times of most of it, else when there are more hits
 * than fit into memory; then the day begins anew. */
#include "collector/query/hits.h"

#include <errno.h>
#include <stdlib.h>

struct hits_worker {
	struct hits *hits;
	struct sieve_scratch *sieve;
	struct sorter *sorter;
	struct events *events; /* NULL: single lines */
	uint64_t lines;
};

static int take_line(struct hits_worker *w, const struct window *window, struct span line)
{
	w->lines++;
	switch (w->hits->mode) {
	case HITS_COUNT: return 0;
	case HITS_FILES: atomic_store(&w->hits->in_segment[window->at.segment], true); return 0;
	case HITS_LINES: break;
	}
	if (w->events)
		return events_hit(w->events, line);
	return sorter_add_line(w->sorter, line, window_place(window, line.ptr), true);
}

static int take_window(void *worker, struct segments *segments, const struct window *window)
{
	struct hits_worker *w = worker;
	struct span line;
	uint64_t before = w->lines;
	int r;
	if (w->events)
		events_window(w->events, segments, window);
	sieve_start(w->sieve, window->lines);
	while ((r = sieve_next(w->sieve, &line)) > 0) {
		r = take_line(w, window, line);
		if (r < 0)
			return r;
		if (w->hits->mode == HITS_FILES)
			break;
	}
	if (w->hits->may_crowd && !w->hits->rounds && sorter_spilled(w->sorter))
		atomic_store(&w->hits->crowded, true);
	if (w->lines > before)
		atomic_fetch_add(&w->hits->search->progress.found, w->lines - before);
	if (r >= 0 && w->events)
		r = events_window_end(w->events);
	return r < 0 ? r : 0;
}

/* What goes on an event that is open is of interest, too. */
static const struct finder *lead(void *worker)
{
	const struct hits_worker *w = worker;
	return w->events && events_open(w->events) ? NULL : sieve_lead(&w->hits->search->sieve);
}

static int end_piece(void *worker, struct segments *segments, const struct piece *piece)
{
	struct hits_worker *w = worker;
	(void)piece;
	return w->events ? events_piece_end(w->events, segments) : 0;
}

static bool is_wanted(void *worker, uint32_t ordinal)
{
	struct hits_worker *w = worker;
	const struct hits *h = w->hits;
	if (h->rounds)
		return rounds_wanted(h->rounds, ordinal);
	if (atomic_load_explicit(&h->crowded, memory_order_relaxed))
		return false;
	return !h->in_segment || !atomic_load(&h->in_segment[ordinal]);
}

static int choose(void *worker, uint32_t ordinal, struct pieces *pieces)
{
	struct hits_worker *w = worker;
	return w->hits->rounds ? rounds_choose(w->hits->rounds, ordinal, pieces) : 0;
}

static struct hits_worker *worker_new(struct hits *h, bool events, enum record_order order,
				      uint64_t limit)
{
	struct hits_worker *w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	w->hits = h;
	w->sieve = sieve_scratch_new(&h->search->sieve);
	w->sorter = sorter_new(order, SEARCH_MEMORY / h->search->threads, limit);
	if (w->sorter && events)
		w->events = events_new(w->sorter);
	h->workers[h->n] = w;
	h->sorters[h->n++] = w->sorter;
	return w->sieve && w->sorter && (w->events || !events) ? w : NULL;
}

int hits_open(struct hits *h, struct search *search, enum hits_mode mode, bool events,
	      enum record_order order, uint64_t limit)
{
	*h = (struct hits){.search = search, .mode = mode};
	for (unsigned i = 0; i < search->threads; i++)
		if (!worker_new(h, events && mode == HITS_LINES, order, limit))
			return -ENOMEM;
	return 0;
}

void hits_close(struct hits *h)
{
	for (unsigned i = 0; i < h->n; i++) {
		sieve_scratch_free(h->workers[i]->sieve);
		events_free(h->workers[i]->events);
		sorter_free(h->workers[i]->sorter);
		free(h->workers[i]);
	}
	free(h->in_segment);
	h->n = 0;
}

static int prepare_day(struct hits *h, const struct segments *segments)
{
	for (unsigned i = 0; i < h->n; i++)
		sorter_clear(h->sorters[i]);
	if (h->mode != HITS_FILES)
		return 0;
	free(h->in_segment);
	h->in_segment = calloc(segments_count(segments) + 1, sizeof(*h->in_segment));
	return h->in_segment ? 0 : search_tell(-ENOMEM, "the search cannot go on");
}

static int scan(struct hits *h, struct segments *segments)
{
	static const struct scan_ops ops = {.window = take_window,
					    .lead = lead,
					    .piece_end = end_piece,
					    .wanted = is_wanted,
					    .choose = choose};
	int r = search_scan(h->search, segments, &ops, (void *const *)h->workers);
	h->lines = 0;
	for (unsigned i = 0; i < h->n; i++) {
		h->lines += h->workers[i]->lines;
		if (h->workers[i]->events)
			events_day_end(h->workers[i]->events);
	}
	return r;
}

/* What was found of the day does not count: it is found again. */
static void begin_anew(struct hits *h, const uint64_t *lines)
{
	uint64_t more = 0;
	for (unsigned i = 0; i < h->n; i++) {
		more += h->workers[i]->lines - lines[i];
		h->workers[i]->lines = lines[i];
		sorter_clear(h->sorters[i]);
	}
	h->lines -= more;
	atomic_fetch_sub(&h->search->progress.found, more);
}

int hits_list(struct hits *h, struct segments *segments)
{
	uint64_t lines[SCAN_THREADS_MAX] = {0};
	bool may_crowd = h->may_crowd;
	enum rounds_use use = ROUNDS_NONE;
	int r = prepare_day(h, segments);
	if (r == 0 && may_crowd)
		r = search_day(h->search, segments);
	if (r < 0)
		return r;
	if (may_crowd)
		use = rounds_use(h->search, segments);
	h->times = use == ROUNDS_TIMES;
	atomic_store(&h->crowded, use == ROUNDS_AT_ONCE);
	if (use == ROUNDS_AT_ONCE)
		return 0;
	for (unsigned i = 0; i < h->n; i++)
		lines[i] = h->workers[i]->lines;
	h->may_crowd = use == ROUNDS_TIMES;
	r = scan(h, segments);
	h->may_crowd = may_crowd;
	if (r == 0 && atomic_load(&h->crowded))
		begin_anew(h, lines);
	return r;
}

/* --- rounds --- */

/* Who takes what was found. */
struct taker {
	int (*each)(void *user, const struct record *record);
	int (*ready)(void *user);
	void *user;
};

/* Gives what is before the frontier, and puts the rest into `rest`. 1: that was enough. */
static int give(struct hits *h, struct sorter *before, struct sorter *rest, struct span frontier,
		const struct taker *taker)
{
	struct sorter *all[SCAN_THREADS_MAX + 1];
	struct merge *m;
	struct record record;
	bool beyond = false;
	for (unsigned i = 0; i < h->n; i++)
		all[i] = h->sorters[i];
	all[h->n] = before;
	int r = merge_open(all, h->n + 1, &m);
	if (r < 0)
		return r;
	while ((r = merge_next(m, &record)) > 0) {
		beyond = beyond ||
			 (frontier.len && record_compare_bytes(record_key(&record), frontier) >= 0);
		r = beyond ? sorter_add(rest, &record) : taker->each(taker->user, &record);
		if (r != 0)
			break;
	}
	merge_close(m);
	return r;
}

static int read_rounds(struct hits *h, struct segments *segments, struct sorter *rest[2],
		       const struct taker *taker)
{
	int r = 0;
	unsigned now = 0;
	while (r == 0 && rounds_next(h->rounds) && !search_stopped(h->search)) {
		r = scan(h, segments);
		if (r < 0)
			break;
		/* Interrupted: what was found is given as it is. */
		struct span frontier = rounds_frontier(h->rounds);
		if (search_stopped(h->search))
			frontier.len = 0;
		r = give(h, rest[now], rest[1 - now], frontier, taker);
		int e = r < 0 ? r : taker->ready(taker->user);
		r = e < 0 ? e : r;
		sorter_clear(rest[now]);
		now = 1 - now;
		for (unsigned i = 0; i < h->n; i++)
			sorter_clear(h->sorters[i]);
	}
	return r < 0 ? r : 0;
}

int hits_rounds(struct hits *h, struct segments *segments,
		int (*each)(void *user, const struct record *record), int (*ready)(void *user),
		void *user)
{
	const struct taker taker = {each, ready, user};
	size_t memory = SEARCH_MEMORY / 8;
	struct sorter *rest[2] = {sorter_new(RECORD_BY_TIME, memory, 0),
				  sorter_new(RECORD_BY_TIME, memory, 0)};
	int r = rest[0] && rest[1] ? rounds_new(h->search, segments, h->times, &h->rounds)
				   : search_tell(-ENOMEM, "the search cannot go on");
	if (r == 0)
		r = read_rounds(h, segments, rest, &taker);
	rounds_free(h->rounds);
	h->rounds = NULL;
	sorter_free(rest[0]);
	sorter_free(rest[1]);
	return r;
}

int hits_day(struct hits *h, size_t day, struct segments **ret)
{
	struct segments *segments;
	int r = search_list(h->search, day, &segments);
	if (r < 0)
		return r;
	r = hits_list(h, segments);
	if (r < 0)
		segments_free(segments);
	else
		*ret = segments;
	return r;
}

bool hits_saw_field(const struct hits *h, size_t i)
{
	for (unsigned k = 0; k < h->n; k++)
		if (where_seen(sieve_where(h->workers[k]->sieve), i))
			return true;
	return false;
}
