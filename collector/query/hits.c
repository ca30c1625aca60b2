/* Collecting hits: see hits.h. */
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
	if (w->lines > before)
		atomic_fetch_add(&w->hits->search->progress.found, w->lines - before);
	if (r >= 0 && w->events)
		r = events_window_end(w->events);
	return r < 0 ? r : 0;
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
	return !w->hits->in_segment || !atomic_load(&w->hits->in_segment[ordinal]);
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

int hits_list(struct hits *h, struct segments *segments)
{
	static const struct scan_ops ops = {
		.window = take_window, .piece_end = end_piece, .wanted = is_wanted};
	int r = prepare_day(h, segments);
	if (r == 0)
		r = search_scan(h->search, segments, &ops, (void *const *)h->workers);
	h->lines = 0;
	for (unsigned i = 0; i < h->n; i++) {
		h->lines += h->workers[i]->lines;
		if (h->workers[i]->events)
			events_day_end(h->workers[i]->events);
	}
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
