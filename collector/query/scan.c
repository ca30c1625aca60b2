/* The search's threads: see scan.h.
 *
 * Work is handed out in pieces. A thread that finds no piece takes the next segment, opens it and
 * chooses its pieces, which all may then take: so a long list of segments is opened as it is
 * needed, and one large file is shared. A segment stays open until its last piece is read.
 *
 * The lock guards all of struct scan but what is set before the threads start; it is held for a few
 * instructions a piece. The thread that called scan_day waits, and shows the progress meanwhile. */
#include "collector/query/scan.h"

#include "collector/query/reader.h"
#include "common/clock.h"
#include "common/num.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define TICK_NS (100 * NUM_MS_NS)

enum { SEGMENTS_AT_ONCE = 16 };

/* The pieces of one segment that were not yet taken. */
struct batch {
	struct pieces pieces;
	size_t next;       /* piece to be taken */
	size_t unfinished; /* pieces that are not yet read, taken or not */
	int fd;
	struct batch *older;
};

struct thread {
	struct scan *scan;
	unsigned number;
	pthread_t id;
	struct reader *reader;
	struct block_set done; /* of the segment that is being chosen */
	uint32_t next, end;    /* segments that it has taken and not yet chosen */
};

struct scan {
	pthread_mutex_t lock;
	pthread_cond_t work; /* for the threads: a day begins, pieces are there, or it is over */
	pthread_cond_t done; /* for the caller: the last thread has finished */
	struct thread *threads;
	unsigned n_threads;
	const atomic_bool *stop;
	struct trouble *trouble;
	struct progress *progress;

	struct segments *segments;
	const struct lookup *lookup;
	const struct scan_ops *ops;
	void *const *workers;
	uint32_t next_segment, n_segments;
	uint32_t unchosen; /* segments that were taken and may yet bring pieces */
	unsigned busy;     /* threads that have not finished the day */
	unsigned day;      /* counts up */
	struct batch *batches;
	int error;
	bool over;
};

unsigned scan_threads(void)
{
	uint64_t n;
	const char *wanted = getenv("HAUL_THREADS");
	if (wanted && num_parse_u64(span_of(wanted), &n) == 0 && n > 0)
		return n < SCAN_THREADS_MAX ? (unsigned)n : SCAN_THREADS_MAX;
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	return cores < 1 ? 1 : cores > SCAN_THREADS_MAX ? SCAN_THREADS_MAX : (unsigned)cores;
}

static bool ending(const struct scan *s)
{
	return s->error < 0 || atomic_load_explicit(s->stop, memory_order_relaxed);
}

static void fail(struct scan *s, int error)
{
	pthread_mutex_lock(&s->lock);
	if (s->error == 0)
		s->error = error;
	pthread_mutex_unlock(&s->lock);
}

/* --- a piece --- */

static void tell(const struct thread *t, uint32_t ordinal, int error)
{
	const struct scan *s = t->scan;
	struct buf path = BUF_EMPTY;
	if (segments_path(s->segments, ordinal, &path) == 0 && buf_cstr(&path))
		reader_tell(t->reader, s->trouble, path.ptr, error);
	buf_free(&path);
}

static int read_piece(struct thread *t, const struct piece *piece, int fd)
{
	struct scan *s = t->scan;
	const struct segment *seg = segments_get(s->segments, piece->segment);
	void *worker = s->workers[t->number];
	struct window w;
	int r = reader_start(t->reader, seg->form, fd, seg->size, *piece);
	while (r == 0 && !ending(s)) {
		if (s->ops->wanted && !s->ops->wanted(worker, piece->segment))
			break;
		const struct finder *lead = s->ops->lead ? s->ops->lead(worker) : NULL;
		if (lead)
			reader_pass(t->reader, lead);
		r = reader_next(t->reader, &w);
		if (r == 0)
			break;
		if (r > 0) {
			w.at.rank = seg->rank;
			r = s->ops->window(worker, s->segments, &w);
			if (r < 0)
				return r;
			continue;
		}
		if (r == -ENOMEM)
			return r;
		tell(t, piece->segment, r);
		if (r != -EBADMSG)
			break;
		r = 0;
	}
	atomic_fetch_add(&s->progress->bytes, piece->to - piece->from);
	return s->ops->piece_end ? s->ops->piece_end(worker, s->segments, piece) : 0;
}

/* --- handing out --- */

/* Opens the segment and chooses its pieces. 0 also when there is nothing to read. */
static int choose(struct scan *s, uint32_t ordinal, struct thread *t, struct batch **ret)
{
	void *worker = s->workers[t->number];
	*ret = NULL;
	if (s->ops->wanted && !s->ops->wanted(worker, ordinal))
		return 0;
	const struct segment *seg = segments_get(s->segments, ordinal);
	block_set_clear(&t->done);
	int r = s->ops->known ? s->ops->known(worker, seg, s->lookup, &t->done) : 0;
	if (r < 0)
		return r;
	if (!blocks_any(seg, s->lookup, &t->done)) {
		atomic_fetch_add(&s->progress->bytes, seg->size);
		return 0;
	}
	struct batch *b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	r = segments_acquire(s->segments, ordinal, &b->fd);
	if (r < 0) {
		free(b);
		if (r != -ENOENT) /* retention may delete under us */
			tell(t, ordinal, r);
		return 0;
	}
	/* Of a file that was replaced meanwhile the index knows nothing: what is done would be done
	 * again. */
	struct index_blocks blocks;
	if (t->done.n && !lookup_find(s->lookup, segments_get(s->segments, ordinal), &blocks))
		r = -ESTALE;
	else
		r = blocks_choose(segments_get(s->segments, ordinal), ordinal, b->fd, s->lookup,
				  &t->done, &b->pieces);
	if (r < 0 && r != -ENOMEM) {
		tell(t, ordinal, r);
		r = 0;
	}
	if (r == 0 && s->ops->choose)
		r = s->ops->choose(worker, ordinal, &b->pieces);
	if (r < 0 || b->pieces.n == 0) {
		pieces_free(&b->pieces);
		segments_release(s->segments, ordinal);
		free(b);
		return r;
	}
	b->unfinished = b->pieces.n;
	*ret = b;
	return 0;
}

/* With the lock held: the oldest batch that still has pieces to take. */
static struct batch *batch_with_work(const struct scan *s)
{
	struct batch *found = NULL;
	for (struct batch *b = s->batches; b; b = b->older)
		if (b->next < b->pieces.n)
			found = b;
	return found;
}

/* With the lock held. */
static void batch_remove(struct scan *s, struct batch *b)
{
	struct batch **at = &s->batches;
	while (*at != b)
		at = &(*at)->older;
	*at = b->older;
}

static void batch_free(struct scan *s, struct batch *b)
{
	segments_release(s->segments, b->pieces.items[0].segment);
	pieces_free(&b->pieces);
	free(b);
}

/* How many segments a thread takes at a time: of many small ones that the index rules out some
 * together, towards the end one by one. */
static uint32_t segments_to_take(const struct scan *s)
{
	uint32_t n = (s->n_segments - s->next_segment) / (8 * s->n_threads);
	return n < 1 ? 1 : n > SEGMENTS_AT_ONCE ? SEGMENTS_AT_ONCE : n;
}

/* Takes the next segments, up to one that has pieces to read; called and left with the lock
 * held. */
static void take_segment(struct scan *s, struct thread *t)
{
	struct batch *b = NULL;
	int r = 0;
	if (t->next == t->end) {
		uint32_t n = segments_to_take(s);
		t->next = s->next_segment;
		t->end = s->next_segment += n;
		s->unchosen += n;
	}
	uint32_t first = t->next;
	pthread_mutex_unlock(&s->lock);
	while (r == 0 && !b && t->next < t->end)
		r = choose(s, t->next++, t, &b);
	pthread_mutex_lock(&s->lock);
	s->unchosen -= t->next - first;
	if (r < 0 && s->error == 0)
		s->error = r;
	if (b) {
		b->older = s->batches;
		s->batches = b;
	}
	pthread_cond_broadcast(&s->work);
}

/* With the lock held, which is given up while the piece is read. */
static void take_piece(struct scan *s, struct thread *t, struct batch *b)
{
	struct piece piece = b->pieces.items[b->next++];
	pthread_mutex_unlock(&s->lock);
	int r = ending(s) ? 0 : read_piece(t, &piece, b->fd);
	if (r < 0)
		fail(s, r);
	pthread_mutex_lock(&s->lock);
	if (--b->unfinished == 0) {
		batch_remove(s, b);
		pthread_mutex_unlock(&s->lock);
		batch_free(s, b);
		pthread_mutex_lock(&s->lock);
	}
}

/* One thread's share of a day; called and left with the lock held. */
static void work_on_day(struct scan *s, struct thread *t)
{
	t->next = t->end = 0;
	for (;;) {
		struct batch *b = batch_with_work(s);
		if (b)
			take_piece(s, t, b);
		else if ((t->next < t->end || s->next_segment < s->n_segments) && !ending(s))
			take_segment(s, t);
		else if (s->unchosen && !ending(s))
			pthread_cond_wait(&s->work, &s->lock);
		else
			break;
	}
	/* It ends early: who waits for these waits no more. */
	if (t->next < t->end) {
		s->unchosen -= t->end - t->next;
		pthread_cond_broadcast(&s->work);
	}
}

static void *thread_main(void *arg)
{
	struct thread *t = arg;
	struct scan *s = t->scan;
	unsigned day = 0;
	pthread_mutex_lock(&s->lock);
	for (;;) {
		while (!s->over && s->day == day)
			pthread_cond_wait(&s->work, &s->lock);
		if (s->over)
			break;
		day = s->day;
		work_on_day(s, t);
		if (--s->busy == 0)
			pthread_cond_signal(&s->done);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* --- the caller's side --- */

int scan_new(unsigned threads, const atomic_bool *stop, struct trouble *trouble,
	     struct progress *progress, struct scan **ret)
{
	pthread_condattr_t monotonic;
	struct scan *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->threads = calloc(threads, sizeof(*s->threads));
	s->stop = stop;
	s->trouble = trouble;
	s->progress = progress;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->work, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&s->done, &monotonic);
	pthread_condattr_destroy(&monotonic);
	int r = s->threads ? 0 : -ENOMEM;
	while (r == 0 && s->n_threads < threads) {
		struct thread *t = &s->threads[s->n_threads];
		*t = (struct thread){.scan = s, .number = s->n_threads, .reader = reader_new()};
		r = t->reader ? -pthread_create(&t->id, NULL, thread_main, t) : -ENOMEM;
		if (r < 0)
			reader_free(t->reader);
		else
			s->n_threads++;
	}
	if (r < 0) {
		scan_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void scan_free(struct scan *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->over = true;
	pthread_cond_broadcast(&s->work);
	pthread_mutex_unlock(&s->lock);
	for (unsigned i = 0; i < s->n_threads; i++) {
		pthread_join(s->threads[i].id, NULL);
		reader_free(s->threads[i].reader);
		block_set_free(&s->threads[i].done);
	}
	free(s->threads);
	pthread_cond_destroy(&s->done);
	pthread_cond_destroy(&s->work);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* Waits for the last thread; the lock is held. */
static void wait_for_day(struct scan *s)
{
	while (s->busy) {
		int64_t until_ns = clock_mono_ns() + TICK_NS;
		struct timespec until = {.tv_sec = until_ns / NUM_SEC_NS,
					 .tv_nsec = until_ns % NUM_SEC_NS};
		if (pthread_cond_timedwait(&s->done, &s->lock, &until) != ETIMEDOUT)
			continue;
		pthread_mutex_unlock(&s->lock);
		progress_show(s->progress);
		pthread_mutex_lock(&s->lock);
	}
}

int scan_day(struct scan *s, struct segments *segments, const struct lookup *lookup,
	     const struct scan_ops *ops, void *const *workers)
{
	pthread_mutex_lock(&s->lock);
	s->segments = segments;
	s->lookup = lookup;
	s->ops = ops;
	s->workers = workers;
	s->next_segment = 0;
	s->n_segments = (uint32_t)segments_count(segments);
	s->error = 0;
	s->busy = s->n_threads;
	s->day++;
	pthread_cond_broadcast(&s->work);
	wait_for_day(s);
	int r = s->error;
	pthread_mutex_unlock(&s->lock);
	return r;
}
