/* Rounds: see rounds.h. hits.c asks for them when its sorters begin to spill.
 *
 * A line is known by its first 27 bytes, as they stand: the order of lines is that of their first columns, and of times
 * as haul writes them both orders are one. A line that does not begin so could stand anywhere: then there are no rounds.
 *
 * Chunks are sorted by their least line and dealt to rounds, the first of which are small. A line of a later round is
 * never less than the least of the round's chunks: that is the frontier. */
#include "collector/query/rounds.h"

#include <errno.h>
#include <stdlib.h>

/* What the first round reads at least, and what a round reads at most before it is over. */
#define ROUND_FIRST (UINT64_C(4) << 20)
#define ROUND_MOST  (UINT64_C(128) << 20)
/* Live files that are smaller are read before anybody notices. */
#define WORTH_BYTES (UINT64_C(32) << 20)

struct chunk_times {
	char least[CIVIL_TIME_LEN]; /* of the lines that begin in it; 0xff...: there are none */
	uint32_t round;
};

struct file_times {
	struct chunk_times *chunks; /* NULL: it belongs to the first round as a whole */
	size_t n;
	bool wanted; /* by this round */
};

struct rounds {
	struct segments *segments;
	struct file_times *files; /* by ordinal */
	uint32_t n_files;
	struct chunk_times **order; /* all chunks, by their least lines */
	size_t n_chunks;
	uint32_t round, n_rounds; /* 0: before the first one */
	struct span frontier;
	atomic_bool odd; /* a line has no time */
};

bool rounds_worth(const struct segments *segments)
{
	uint64_t bytes = 0;
	for (uint32_t i = 0; i < segments_count(segments); i++)
		if (segments_get(segments, i)->form == SEGMENT_LIVE)
			bytes += segments_get(segments, i)->size;
	return bytes >= WORTH_BYTES;
}

void rounds_free(struct rounds *r)
{
	if (!r)
		return;
	for (uint32_t i = 0; r->files && i < r->n_files; i++)
		free(r->files[i].chunks);
	free(r->files);
	free(r->order);
	free(r);
}

/* --- times --- */

static int make_chunks(struct rounds *r)
{
	r->n_files = (uint32_t)segments_count(r->segments);
	r->files = calloc(r->n_files + 1, sizeof(*r->files));
	if (!r->files)
		return -ENOMEM;
	for (uint32_t i = 0; i < r->n_files; i++) {
		const struct segment *seg = segments_get(r->segments, i);
		struct file_times *f = &r->files[i];
		if (seg->form != SEGMENT_LIVE || seg->size == 0)
			continue;
		f->n = (size_t)((seg->size + ROUNDS_CHUNK - 1) / ROUNDS_CHUNK);
		f->chunks = malloc(f->n * sizeof(*f->chunks));
		if (!f->chunks)
			return -ENOMEM;
		memset(f->chunks, 0xff, f->n * sizeof(*f->chunks));
		r->n_chunks += f->n;
	}
	return 0;
}

/* Pieces begin where chunks do, so a chunk is one thread's. */
static int take_times(void *worker, struct segments *segments, const struct window *w)
{
	struct rounds *r = worker;
	const struct file_times *f = &r->files[w->at.segment];
	struct span lines = w->lines;
	(void)segments;
	for (size_t len; lines.len; lines = span_from(lines, len)) {
		uint64_t at = w->at.offset + (uint64_t)(lines.ptr - w->lines.ptr);
		len = span_find(lines, '\n') + 1;
		if (len <= CIVIL_TIME_LEN + 1 || lines.ptr[CIVIL_TIME_LEN] != ' ' ||
		    at / ROUNDS_CHUNK >= f->n) {
			atomic_store(&r->odd, true);
			return 0;
		}
		char *least = f->chunks[at / ROUNDS_CHUNK].least;
		if (memcmp(lines.ptr, least, CIVIL_TIME_LEN) < 0)
			memcpy(least, lines.ptr, CIVIL_TIME_LEN);
	}
	return 0;
}

static bool has_times(void *worker, uint32_t ordinal)
{
	const struct rounds *r = worker;
	return r->files[ordinal].chunks && !atomic_load(&r->odd);
}

static int read_times(struct rounds *r, struct search *search)
{
	static const struct scan_ops ops = {.window = take_times, .wanted = has_times};
	void *workers[SCAN_THREADS_MAX];
	for (unsigned i = 0; i < search->threads; i++)
		workers[i] = r;
	/* The progress begins anew, and once more for the rounds. */
	atomic_store(&search->progress.bytes, 0);
	int e = scan_day(search->scan, r->segments, NULL, &ops, workers);
	atomic_store(&search->progress.bytes, 0);
	return e;
}

/* --- dealing --- */

static int by_least(const void *a, const void *b)
{
	const struct chunk_times *const *x = a, *const *y = b;
	return memcmp((*x)->least, (*y)->least, CIVIL_TIME_LEN);
}

static int deal(struct rounds *r)
{
	size_t n = 0;
	uint64_t bytes = 0, most = ROUND_FIRST;
	r->order = calloc(r->n_chunks + 1, sizeof(struct chunk_times *));
	if (!r->order)
		return -ENOMEM;
	for (uint32_t i = 0; i < r->n_files; i++)
		for (size_t k = 0; k < r->files[i].n; k++)
			r->order[n++] = &r->files[i].chunks[k];
	qsort(r->order, n, sizeof(*r->order), by_least);
	r->n_rounds = 1;
	for (size_t i = 0; i < n; i++) {
		if (bytes >= most) {
			r->n_rounds++;
			bytes = 0;
			most = most * 2 < ROUND_MOST ? most * 2 : ROUND_MOST;
		}
		r->order[i]->round = r->n_rounds;
		bytes += ROUNDS_CHUNK;
	}
	return 0;
}

int rounds_new(struct search *search, struct segments *segments, struct rounds **ret)
{
	struct rounds *r = calloc(1, sizeof(*r));
	if (!r)
		return search_tell(-ENOMEM, "the search cannot go on");
	r->segments = segments;
	int e = make_chunks(r);
	if (e == 0)
		e = read_times(r, search);
	if (e == 0)
		e = deal(r);
	if (e < 0)
		(void)search_tell(e, "the search cannot go on");
	else if (atomic_load(&r->odd))
		e = -EDOM;
	if (e < 0) {
		rounds_free(r);
		return e;
	}
	*ret = r;
	return 0;
}

/* --- a round --- */

static bool has_chunk(const struct file_times *f, uint32_t round)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->chunks[i].round == round)
			return true;
	return !f->chunks && round == 1;
}

bool rounds_next(struct rounds *r)
{
	if (r->round == r->n_rounds)
		return false;
	r->round++;
	for (uint32_t i = 0; i < r->n_files; i++)
		r->files[i].wanted = has_chunk(&r->files[i], r->round);
	r->frontier = (struct span){0};
	size_t low = 0, high = r->n_chunks;
	while (low < high) { /* the first chunk of a later round */
		size_t middle = low + (high - low) / 2;
		if (r->order[middle]->round > r->round)
			high = middle;
		else
			low = middle + 1;
	}
	if (low < r->n_chunks)
		r->frontier = span_make(r->order[low]->least, CIVIL_TIME_LEN);
	return true;
}

struct span rounds_frontier(const struct rounds *r)
{
	return r->frontier;
}

bool rounds_wanted(const struct rounds *r, uint32_t ordinal)
{
	return r->files[ordinal].wanted;
}

int rounds_choose(const struct rounds *r, uint32_t ordinal, struct pieces *pieces)
{
	const struct file_times *f = &r->files[ordinal];
	uint64_t size = segments_get(r->segments, ordinal)->size;
	if (!f->chunks)
		return 0;
	pieces->n = 0;
	for (size_t i = 0; i < f->n; i++) {
		uint64_t from = i * ROUNDS_CHUNK, to = from + ROUNDS_CHUNK;
		struct piece *last = pieces->n ? &pieces->items[pieces->n - 1] : NULL;
		if (f->chunks[i].round != r->round)
			continue;
		if (to > size)
			to = size;
		if (last && last->to == from) {
			last->to = to;
			continue;
		}
		int e = pieces_add(pieces, (struct piece){ordinal, from, to});
		if (e < 0)
			return e;
	}
	return 0;
}
