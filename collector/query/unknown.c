/* Unknown fields: see unknown.h. A wrong name would look like "nothing found", which is the worst
 * answer a search can give. So when nothing was found, and no line that was taken apart had the
 * field, the same files are asked once more for the field's name alone. */
#include "collector/query/unknown.h"

#include "collector/query/names.h"
#include "common/field.h"

#include <errno.h>
#include <stdlib.h>

enum { WINDOWS_NOTED = 16 };
#define NAMES_BYTES (UINT64_C(16) << 20)

/* What the threads share. */
struct inquiry {
	size_t condition;
	struct finder finder; /* the field's name; n = 0: only the names that there are */
	uint64_t most;        /* bytes to be looked at */
	atomic_bool known;
	atomic_uint windows; /* with lines */
	atomic_uint_fast64_t bytes;
	pthread_mutex_t lock; /* guards names */
	struct field_names names;
};

struct worker {
	struct inquiry *inquiry;
	struct where_scratch *where;
};

static void note_names(struct inquiry *q, struct span lines)
{
	pthread_mutex_lock(&q->lock);
	field_names_note(&q->names, lines);
	pthread_mutex_unlock(&q->lock);
}

static int look_at_window(void *worker, struct segments *segments, const struct window *w)
{
	struct worker *me = worker;
	struct inquiry *q = me->inquiry;
	struct finder_walk walk;
	const char *end = w->lines.ptr + w->lines.len, *at = w->lines.ptr;
	(void)segments;
	if (atomic_fetch_add(&q->windows, 1) < WINDOWS_NOTED)
		note_names(q, w->lines);
	atomic_fetch_add(&q->bytes, w->lines.len);
	if (q->finder.n == 0)
		return 0;
	finder_walk_start(&walk, &q->finder, w->lines);
	while ((at = finder_walk_next(&walk, at))) {
		const char *lf = memrchr(w->lines.ptr, '\n', (size_t)(at - w->lines.ptr));
		const char *start = lf ? lf + 1 : w->lines.ptr;
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		int r = where_has_field(me->where, q->condition,
					span_make(start, (size_t)(line_end - start)));
		if (r < 0)
			return r;
		if (r > 0) {
			atomic_store(&q->known, true);
			return 0;
		}
		at = line_end;
	}
	return 0;
}

static bool goes_on(struct inquiry *q)
{
	return !atomic_load(&q->known) && atomic_load(&q->bytes) < q->most;
}

static bool is_wanted(void *worker, uint32_t ordinal)
{
	(void)ordinal;
	return goes_on(((struct worker *)worker)->inquiry);
}

static int ask_days(struct inquiry *q, struct search *search)
{
	static const struct scan_ops ops = {.window = look_at_window, .wanted = is_wanted};
	struct worker workers[SCAN_THREADS_MAX] = {{0}};
	void *pointers[SCAN_THREADS_MAX];
	int r = 0;
	for (unsigned i = 0; i < search->threads; i++) {
		workers[i].inquiry = q;
		pointers[i] = &workers[i];
		if (q->finder.n && !(workers[i].where = where_scratch_new(search->where)))
			r = -ENOMEM;
	}
	for (size_t day = search->n_days; r == 0 && day-- > 0 && goes_on(q);) {
		struct segments *segments;
		r = search_list(search, day, &segments);
		if (r < 0)
			break;
		r = search_scan(search, segments, &ops, pointers);
		segments_free(segments);
	}
	for (unsigned i = 0; i < search->threads; i++)
		where_scratch_free(workers[i].where);
	return r;
}

static int ask(struct search *search, size_t condition)
{
	struct inquiry q = {
		.condition = condition, .most = UNKNOWN_BYTES, .lock = PTHREAD_MUTEX_INITIALIZER};
	struct span field = where_field(search->where, condition);
	struct field parsed;
	int r = field_init(&parsed, field);
	struct span name = field_literal(&parsed);
	if (r < 0 || name.len == 0)
		return 0;
	r = finder_init(&q.finder, &name, 1, false);
	if (r == 0)
		r = ask_days(&q, search);
	finder_clear(&q.finder);
	if (r < 0 || search_stopped(search) || !atomic_load(&q.windows) || !goes_on(&q))
		return r;
	field_names_tell(&q.names, "-w", field);
	return -EINVAL;
}

int unknown_fields(struct search *search, const struct hits *hits)
{
	/* What the question demands must not choose the blocks. */
	struct lookup *lookup = search->lookup;
	search->lookup = NULL;
	int r = 0;
	for (size_t i = 0; r == 0 && i < where_count(search->where); i++)
		if (!hits_saw_field(hits, i) && !search_stopped(search))
			r = ask(search, i);
	search->lookup = lookup;
	return r;
}

int unknown_field(struct search *search, const char *option, struct span field)
{
	struct inquiry q = {.most = NAMES_BYTES, .lock = PTHREAD_MUTEX_INITIALIZER};
	struct lookup *lookup = search->lookup;
	search->lookup = NULL;
	int r = ask_days(&q, search);
	search->lookup = lookup;
	if (r == 0)
		field_names_tell(&q.names, option, field);
	return r < 0 ? r : -EINVAL;
}
