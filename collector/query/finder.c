/* Several strings at once, each by its own search: the buffer stays in the processor's cache, so
 * that a second pass over it costs less than a cleverer algorithm that looks at every byte. Used by
 * the matcher for the strings that a regular expression demands. Fails for memory only. */
#include "collector/query/finder.h"

int finder_init(struct finder *f, const struct span *strings, size_t n, bool ignore_case)
{
	*f = (struct finder){0};
	for (size_t i = 0; i < n; i++) {
		int r = literal_init(&f->literals[i], strings[i], ignore_case);
		if (r < 0) {
			finder_clear(f);
			return r;
		}
		f->n++;
	}
	return 0;
}

void finder_clear(struct finder *f)
{
	for (size_t i = 0; i < f->n; i++)
		literal_clear(&f->literals[i]);
	f->n = 0;
}

static const char *find_from(const struct finder_walk *w, size_t i, const char *from)
{
	const char *at = literal_find(&w->finder->literals[i], from, (size_t)(w->end - from));
	return at ? at : w->end;
}

void finder_walk_start(struct finder_walk *w, const struct finder *f, struct span hay)
{
	w->finder = f;
	w->end = hay.ptr + hay.len;
	for (size_t i = 0; i < f->n; i++)
		w->next[i] = find_from(w, i, hay.ptr);
}

const char *finder_walk_next(struct finder_walk *w, const char *from)
{
	const char *first = w->end;
	for (size_t i = 0; i < w->finder->n; i++) {
		if (w->next[i] < from)
			w->next[i] = find_from(w, i, from);
		if (w->next[i] < first)
			first = w->next[i];
	}
	return first < w->end ? first : NULL;
}

bool finder_in(const struct finder *f, struct span hay)
{
	for (size_t i = 0; i < f->n; i++)
		if (literal_find(&f->literals[i], hay.ptr, hay.len))
			return true;
	return f->n == 0;
}
