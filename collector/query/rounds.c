/* Rounds: see rounds.h. hits.c asks for them before it reads a day that the index knows, and when
 * its sorters begin to spill.
 *
 * A line is known by its first 27 bytes, as they stand: the order of lines is that of their first
 * columns, and of times as haul writes them both orders are one. A line that does not begin so
 * could stand anywhere: a plain file with such a line, and a block, are read in the first round.
 *
 * Parts are sorted by their least line and dealt to rounds, the first of which are small. A line of
 * a later round is never less than the least of the round's parts: that is the frontier. */
#include "collector/query/rounds.h"

#include <errno.h>
#include <stdlib.h>

/* What the first round reads at least, and what a round reads at most before it is over; of
 * lines. */
#define ROUND_FIRST (UINT64_C(4) << 20)
#define ROUND_MOST  (UINT64_C(128) << 20)
/* Files that are smaller are read before anybody notices. */
#define WORTH_BYTES (UINT64_C(32) << 20)

struct stretch {
	uint64_t from; /* in the file */
	uint32_t length, lines_bytes;
	uint32_t round;
	char least[CIVIL_TIME_LEN]; /* of the lines that begin in it; 0xff...: there are none */
};

struct file {
	struct stretch *parts; /* in file order */
	size_t n;
	bool chunked; /* its times are still to be read */
	/* else it belongs to the first round as a whole, and so if it is not as it was: */
	bool known;
	enum segment_form form;
	uint64_t size;
	bool done;
	bool wanted;     /* by this round */
	atomic_bool odd; /* a line has no time */
};

struct rounds {
	struct segments *segments;
	struct file *files; /* by ordinal */
	uint32_t n_files;
	struct stretch **order; /* all parts, by their least lines */
	size_t n_parts;
	uint32_t round, n_rounds; /* 0: before the first one */
	struct span frontier;
};

enum rounds_use rounds_use(const struct search *search, const struct segments *segments)
{
	uint64_t known = 0, plain = 0, other = 0;
	for (uint32_t i = 0; i < segments_count(segments); i++) {
		const struct segment *seg = segments_get(segments, i);
		struct index_blocks blocks;
		if (lookup_find(search->lookup, seg, &blocks))
			for (size_t k = 0; k < blocks.n; k++)
				known += blocks.items[k].plain_length;
		else if (segment_is_plain(seg))
			plain += seg->size;
		else
			other += seg->size;
	}
	if (known >= WORTH_BYTES && known >= plain + other)
		return ROUNDS_AT_ONCE;
	return known + plain >= WORTH_BYTES ? ROUNDS_TIMES : ROUNDS_NONE;
}

static void forget_parts(struct file *f)
{
	free(f->parts);
	f->parts = NULL;
	f->n = 0;
	f->known = false;
}

void rounds_free(struct rounds *r)
{
	if (!r)
		return;
	for (uint32_t i = 0; r->files && i < r->n_files; i++)
		forget_parts(&r->files[i]);
	free(r->files);
	free(r->order);
	free(r);
}

/* --- parts --- */

static int make_parts(struct file *f, const struct segment *seg, size_t n)
{
	f->parts = calloc(n + 1, sizeof(*f->parts));
	if (!f->parts)
		return -ENOMEM;
	f->n = n;
	f->known = true;
	f->form = seg->form;
	f->size = seg->size;
	return 0;
}

static int take_blocks(struct file *f, const struct segment *seg, const struct index_blocks *blocks)
{
	int e = make_parts(f, seg, blocks->n);
	for (size_t i = 0; e == 0 && i < blocks->n; i++) {
		const struct slab_hit *b = &blocks->items[i];
		struct stretch *p = &f->parts[i];
		*p = (struct stretch){
			.from = b->offset, .length = b->length, .lines_bytes = b->plain_length};
		if (b->first_us >= CIVIL_MIN_US) /* else it is before all others */
			civil_format_us(p->least,
					b->first_us < CIVIL_MAX_US ? b->first_us : CIVIL_MAX_US);
	}
	return e;
}

static int make_chunks(struct file *f, const struct segment *seg)
{
	int e = make_parts(f, seg, (size_t)((seg->size + ROUNDS_CHUNK - 1) / ROUNDS_CHUNK));
	f->chunked = true;
	for (size_t i = 0; e == 0 && i < f->n; i++) {
		struct stretch *p = &f->parts[i];
		p->from = i * ROUNDS_CHUNK;
		uint64_t left = seg->size - p->from;
		p->length = p->lines_bytes = (uint32_t)(left < ROUNDS_CHUNK ? left : ROUNDS_CHUNK);
		memset(p->least, 0xff, sizeof(p->least));
	}
	return e;
}

static int part_files(struct rounds *r, const struct search *search, bool times)
{
	int e = 0;
	r->n_files = (uint32_t)segments_count(r->segments);
	r->files = calloc(r->n_files + 1, sizeof(*r->files));
	if (!r->files)
		return -ENOMEM;
	for (uint32_t i = 0; e == 0 && i < r->n_files; i++) {
		const struct segment *seg = segments_get(r->segments, i);
		struct index_blocks blocks;
		if (lookup_find(search->lookup, seg, &blocks))
			e = take_blocks(&r->files[i], seg, &blocks);
		else if (times && segment_is_plain(seg))
			e = make_chunks(&r->files[i], seg);
	}
	return e;
}

/* --- times --- */

/* Pieces begin where chunks do, so a chunk is one thread's. */
static int take_times(void *worker, struct segments *segments, const struct window *w)
{
	struct rounds *r = worker;
	struct file *f = &r->files[w->at.segment];
	struct span lines = w->lines;
	if (!segment_is_plain(segments_get(segments, w->at.segment))) {
		atomic_store(&f->odd, true);
		return 0;
	}
	for (size_t len; lines.len; lines = span_from(lines, len)) {
		uint64_t at = w->at.offset + (uint64_t)(lines.ptr - w->lines.ptr);
		len = span_find(lines, '\n') + 1;
		if (len <= CIVIL_TIME_LEN + 1 || lines.ptr[CIVIL_TIME_LEN] != ' ' ||
		    at / ROUNDS_CHUNK >= f->n) {
			atomic_store(&f->odd, true);
			return 0;
		}
		char *least = f->parts[at / ROUNDS_CHUNK].least;
		if (memcmp(lines.ptr, least, CIVIL_TIME_LEN) < 0)
			memcpy(least, lines.ptr, CIVIL_TIME_LEN);
	}
	return 0;
}

static bool wants_times(void *worker, uint32_t ordinal)
{
	const struct file *f = &((struct rounds *)worker)->files[ordinal];
	return f->chunked && !atomic_load(&f->odd);
}

static int read_times(struct rounds *r, struct search *search)
{
	static const struct scan_ops ops = {.window = take_times, .wanted = wants_times};
	void *workers[SCAN_THREADS_MAX];
	for (unsigned i = 0; i < search->threads; i++)
		workers[i] = r;
	/* The progress begins anew, and once more for the rounds. */
	atomic_store(&search->progress.bytes, 0);
	int e = scan_day(search->scan, r->segments, NULL, &ops, workers);
	atomic_store(&search->progress.bytes, 0);
	for (uint32_t i = 0; i < r->n_files; i++)
		if (atomic_load(&r->files[i].odd))
			forget_parts(&r->files[i]);
	return e;
}

/* --- dealing --- */

static int by_least(const void *a, const void *b)
{
	const struct stretch *const *x = a, *const *y = b;
	return memcmp((*x)->least, (*y)->least, CIVIL_TIME_LEN);
}

static int deal(struct rounds *r)
{
	uint64_t bytes = 0, most = ROUND_FIRST;
	for (uint32_t i = 0; i < r->n_files; i++)
		r->n_parts += r->files[i].n;
	r->order = calloc(r->n_parts + 1, sizeof(struct stretch *));
	if (!r->order)
		return -ENOMEM;
	size_t n = 0;
	for (uint32_t i = 0; i < r->n_files; i++)
		for (size_t k = 0; k < r->files[i].n; k++)
			r->order[n++] = &r->files[i].parts[k];
	qsort(r->order, n, sizeof(*r->order), by_least);
	r->n_rounds = 1;
	for (size_t i = 0; i < n; i++) {
		if (bytes >= most) {
			r->n_rounds++;
			bytes = 0;
			most = most * 2 < ROUND_MOST ? most * 2 : ROUND_MOST;
		}
		r->order[i]->round = r->n_rounds;
		bytes += r->order[i]->lines_bytes;
	}
	return 0;
}

int rounds_new(struct search *search, struct segments *segments, bool times, struct rounds **ret)
{
	struct rounds *r = calloc(1, sizeof(*r));
	if (!r)
		return search_tell(-ENOMEM, "the search cannot go on");
	r->segments = segments;
	int e = part_files(r, search, times);
	if (e == 0 && times)
		e = read_times(r, search);
	if (e == 0)
		e = deal(r);
	if (e < 0) {
		rounds_free(r);
		return search_tell(e, "the search cannot go on");
	}
	*ret = r;
	return 0;
}

/* --- a round --- */

static bool has_part(const struct file *f, uint32_t round)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->parts[i].round == round)
			return true;
	return !f->known && round == 1;
}

bool rounds_next(struct rounds *r)
{
	if (r->round == r->n_rounds)
		return false;
	r->round++;
	for (uint32_t i = 0; i < r->n_files; i++)
		r->files[i].wanted = !r->files[i].done && has_part(&r->files[i], r->round);
	r->frontier = (struct span){0};
	size_t low = 0, high = r->n_parts;
	while (low < high) { /* the first part of a later round */
		size_t middle = low + (high - low) / 2;
		if (r->order[middle]->round > r->round)
			high = middle;
		else
			low = middle + 1;
	}
	if (low < r->n_parts)
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

int rounds_choose(struct rounds *r, uint32_t ordinal, struct pieces *pieces)
{
	struct file *f = &r->files[ordinal];
	const struct segment *seg = segments_get(r->segments, ordinal);
	if (!f->known)
		return 0;
	if (seg->form != f->form || seg->size != f->size) {
		/* Another file stands there by now: all of it, though some lines may come late. */
		f->done = true;
		return 0;
	}
	pieces->n = 0;
	for (size_t i = 0; i < f->n; i++) {
		const struct stretch *p = &f->parts[i];
		if (p->round != r->round)
			continue;
		int e = pieces_join(pieces, 0,
				    (struct piece){ordinal, p->from, p->from + p->length},
				    segment_is_plain(seg));
		if (e < 0)
			return e;
	}
	return 0;
}
