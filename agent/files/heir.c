/* Neighbours in a rotation: see heir.h. The envelope asks when a file begins and while a line is open at
 * its end, so a walk over all sources is cheap enough: most are told apart by the directory.
 *
 * Names tell the order: the one without a suffix is the youngest, of dates the least is the oldest, of numbers the
 * greatest. Birth times do not, for a file that was compressed is born anew; they order files that had the same
 * name one after the other, and where there are none it is the table, in the order of their discovery. */
#include "agent/files/heir.h"

#include "agent/files/rotation.h"
#include "common/num.h"

enum { GENERATION_DIGITS = 5 }; /* longer ones are dates */

/* Has it no lines of its own? A copy has not, nor has a file that was empty and is gone. */
static bool is_nothing(const struct source *s)
{
	if (s->state == SOURCE_STRAY)
		return s->copy || !s->size;
	return s->state == SOURCE_MISSING && !s->born && !s->sure_size;
}

/* May a line go on from one to the other, whichever is older? */
static bool related(const struct source *a, const struct source *b)
{
	struct span dir = path_dir(a->path);
	if (a == b || is_nothing(b) || !b->input || a->input->type != b->input->type ||
	    b->state == SOURCE_ENDED || !span_equal(dir, path_dir(b->path)))
		return false;
	return rotation_family(path_name(a->path)) == rotation_family(path_name(b->path));
}

static struct span without(struct span name, const char *suffix)
{
	if (span_ends_with(name, span_of(suffix)))
		name.len -= strlen(suffix);
	return name;
}

/* The name as it was before it was compressed. */
static struct span plain_name(const char *path)
{
	return without(without(path_name(path), ".tmp"), ".gz");
}

/* Where the numbers that tell two names apart begin. */
static size_t difference(struct span a, struct span b)
{
	size_t at = 0;
	while (at < a.len && at < b.len && a.ptr[at] == b.ptr[at])
		at++;
	while (at > 0 && a.ptr[at - 1] >= '0' && a.ptr[at - 1] <= '9')
		at--;
	return at;
}

/* NAME.1 of a file that has few of them; else 0. */
static uint64_t generation(struct span name, size_t at)
{
	uint64_t n;
	if (at == 0 || name.ptr[at - 1] != '.' || name.len - at > GENERATION_DIGITS ||
	    num_parse_u64(span_from(name, at), &n) < 0)
		return 0;
	return n;
}

/* Negative: `a` is older; positive: `b` is; 0: the names do not tell. */
static int compare_names(struct span a, struct span b)
{
	if (span_equal(a, b))
		return 0;
	if (span_starts_with(a, b))
		return -1;
	if (span_starts_with(b, a))
		return 1;
	size_t at = difference(a, b);
	uint64_t ga = generation(a, at), gb = generation(b, at);
	if (ga && gb)
		return ga > gb ? -1 : 1;
	int r = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
	return r < 0 ? -1 : r > 0;
}

/* Is `a`, which stands before `b` in the table, the older file? */
static bool in_order(const struct source *a, const struct source *b)
{
	int r = compare_names(plain_name(a->path), plain_name(b->path));
	if (r)
		return r < 0;
	return !a->btime_ns || !b->btime_ns || a->btime_ns <= b->btime_ns;
}

struct source *heir_before(const struct source_table *t, const struct source *s)
{
	struct source *best = NULL;
	bool seen = false;
	for (struct source *o = source_first(t); o; o = source_after(t, o)) {
		seen = seen || o == s;
		if (!related(s, o) || (seen ? in_order(s, o) : !in_order(o, s)))
			continue;
		if (!best || in_order(best, o))
			best = o;
	}
	return best;
}

struct source *heir_behind(const struct source_table *t, const struct source *s)
{
	struct source *best = NULL;
	bool seen = false;
	for (struct source *o = source_first(t); o; o = source_after(t, o)) {
		seen = seen || o == s;
		if (!related(s, o) || (seen ? !in_order(s, o) : in_order(o, s)))
			continue;
		if (!best || !in_order(best, o))
			best = o;
	}
	return best;
}

bool heir_is_unsure(const struct source *s)
{
	switch (s->state) {
	case SOURCE_NEW:
	case SOURCE_STRAY: return true;
	case SOURCE_MISSING: return !s->searched || s->searching;
	case SOURCE_FOLLOWING:
	case SOURCE_ROTATED:
	case SOURCE_UNLINKED: break;
	case SOURCE_DRAINED:
	case SOURCE_ENDED: return false;
	}
	/* A compressed file may get more until it is whole. */
	return s->held || s->searching || (s->compressed && !s->closing) ||
	       (s->cut && !s->copied && !(s->closing && s->searched));
}

void heir_wake(struct source_table *t, const struct source *s)
{
	if (!s->input || s->input->type == INPUT_FILE)
		return;
	for (struct source *o = source_first(t); o; o = source_after(t, o))
		if (related(s, o))
			source_set_ready(t, o);
}
