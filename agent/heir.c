/* Neighbours in a rotation: see heir.h. The envelope asks when a file begins and while a line is open at
 * its end, so a walk over all sources is cheap enough: most are told apart by the directory.
 *
 * Files are ordered by birth time; the table's order, which is that of their discovery, decides where a
 * file system has none. */
#include "agent/heir.h"

#include "agent/rotation.h"

/* May a line go on from one to the other, whichever is older? */
static bool related(const struct source *a, const struct source *b)
{
	struct span dir = path_dir(a->path);
	if (a == b || !b->input || a->input->type != b->input->type || b->state == SOURCE_ENDED ||
	    !span_equal(dir, path_dir(b->path)))
		return false;
	return rotation_family(path_name(a->path)) == rotation_family(path_name(b->path));
}

/* Is `a`, which stands before `b` in the table, the older file? */
static bool in_order(const struct source *a, const struct source *b)
{
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
