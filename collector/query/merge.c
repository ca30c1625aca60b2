/* Reading sorters together: see sorter.h. A heap over the sources: what each sorter has in memory,
 * and the runs that it wrote. Used by everything that prints, and by sorters that have too many
 * runs. */
#include "collector/query/sorter_parts.h"

#include <errno.h>
#include <stdlib.h>

/* What all read buffers of a merge have together, and what one gets at least and at most. */
enum { BUFFERS_BYTES = 8 << 20, BUFFER_MIN = 4 << 10, BUFFER_MAX = 64 << 10 };

struct source {
	const struct sorter *sorter; /* in memory: its next record is `next` */
	size_t next;
	struct spill_reader run; /* else: run.spill is set */
	struct record record;    /* what it has now */
};

struct merge {
	enum record_order order;
	struct source *sources;
	struct source **heap;
	size_t n, n_sources;
	size_t buffer_bytes; /* of each run */
	bool begun;
	bool has_last; /* the place of the last record that was given */
	struct place last;
};

/* 1: the source has a record; 0: it is at its end. */
static int advance(struct source *s)
{
	if (s->run.spill)
		return spill_read(&s->run, &s->record);
	if (s->next == s->sorter->n)
		return 0;
	s->record = kept_record(s->sorter, &s->sorter->kept[s->next++]);
	return 1;
}

static bool before(const struct merge *m, size_t a, size_t b)
{
	return record_compare(&m->heap[a]->record, &m->heap[b]->record, m->order) < 0;
}

static void sift_down(struct merge *m, size_t at)
{
	for (;;) {
		size_t least = at, left = 2 * at + 1;
		if (left < m->n && before(m, left, least))
			least = left;
		if (left + 1 < m->n && before(m, left + 1, least))
			least = left + 1;
		if (least == at)
			return;
		struct source *s = m->heap[at];
		m->heap[at] = m->heap[least];
		m->heap[least] = s;
		at = least;
	}
}

static int merge_new(enum record_order order, size_t n_sources, struct merge **ret)
{
	struct merge *m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->order = order;
	m->buffer_bytes = BUFFERS_BYTES / (n_sources + 1);
	if (m->buffer_bytes < BUFFER_MIN)
		m->buffer_bytes = BUFFER_MIN;
	if (m->buffer_bytes > BUFFER_MAX)
		m->buffer_bytes = BUFFER_MAX;
	m->sources = calloc(n_sources + 1, sizeof(*m->sources));
	m->heap = calloc(n_sources + 1, sizeof(struct source *));
	if (!m->sources || !m->heap) {
		merge_close(m);
		return -ENOMEM;
	}
	*ret = m;
	return 0;
}

/* All sources are set: the heap is made. */
static int begin(struct merge *m)
{
	for (size_t i = 0; i < m->n_sources; i++) {
		int r = advance(&m->sources[i]);
		if (r < 0)
			return r;
		if (r > 0)
			m->heap[m->n++] = &m->sources[i];
	}
	for (size_t i = m->n / 2; i-- > 0;)
		sift_down(m, i);
	return 0;
}

static void add_runs(struct merge *m, const struct sorter *s, const struct spill_run *runs,
		     size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct spill_reader *reader = &m->sources[m->n_sources++].run;
		reader->spill = &s->spill;
		reader->run = runs[i];
		reader->read_bytes = m->buffer_bytes;
	}
}

int merge_open_runs(struct sorter *s, const struct spill_run *runs, size_t n, struct merge **ret)
{
	int r = merge_new(s->order, n, ret);
	if (r < 0)
		return r;
	add_runs(*ret, s, runs, n);
	r = begin(*ret);
	if (r < 0)
		merge_close(*ret);
	return r;
}

int merge_open(struct sorter *const *sorters, size_t n, struct merge **ret)
{
	struct merge *m;
	size_t sources = n;
	for (size_t i = 0; i < n; i++)
		sources += sorters[i]->n_runs;
	int r = merge_new(sorters[0]->order, sources, &m);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		sorter_settle(sorters[i]);
		add_runs(m, sorters[i], sorters[i]->runs, sorters[i]->n_runs);
		m->sources[m->n_sources++].sorter = sorters[i];
	}
	r = begin(m);
	if (r < 0) {
		merge_close(m);
		return r;
	}
	*ret = m;
	return 0;
}

/* The record at the top was given out: its source goes on. */
static int drop_top(struct merge *m)
{
	int r = advance(m->heap[0]);
	if (r < 0)
		return r;
	if (r == 0)
		m->heap[0] = m->heap[--m->n];
	sift_down(m, 0);
	return 0;
}

int merge_next(struct merge *m, struct record *ret)
{
	/* The record that was given last stays valid until now. */
	for (;;) {
		if (m->begun) {
			int r = m->n ? drop_top(m) : 0;
			if (r < 0)
				return r;
		}
		m->begun = true;
		if (m->n == 0)
			return 0;
		const struct record *top = &m->heap[0]->record;
		if (m->order != RECORD_BY_BODY && m->has_last &&
		    place_compare(&top->at, &m->last) == 0)
			continue;
		m->has_last = true;
		m->last = top->at;
		*ret = *top;
		return 1;
	}
}

void merge_close(struct merge *m)
{
	if (!m)
		return;
	for (size_t i = 0; m->sources && i < m->n_sources; i++)
		if (m->sources[i].run.spill)
			spill_reader_free(&m->sources[i].run);
	free(m->sources);
	free(m->heap);
	free(m);
}
