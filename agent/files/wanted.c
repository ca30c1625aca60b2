/* What is wanted: see wanted.h. Discover asks for each new name; nothing is kept, so a reload only
 * exchanges the inputs. An exclude without a slash is held against the last component; one that
 * ends in a slash and two stars takes whole directories out, so that they are not even watched. */
#include "agent/files/wanted.h"

#include "agent/files/rotation.h"
#include "common/glob.h"

#include <limits.h>
#include <stdio.h>

static const char *excluding(const struct input *in, const char *path)
{
	const char *name = path_name(path).ptr;
	for (size_t i = 0; i < in->exclude.n; i++) {
		const char *glob = in->exclude.items[i];
		if (strchr(glob, '/') ? glob_match(glob, path) : glob_match_name(glob, name))
			return glob;
	}
	return NULL;
}

static bool named(const struct input *in, const char *path)
{
	for (size_t i = 0; i < in->paths.n; i++)
		if (glob_match(in->paths.items[i], path))
			return true;
	return false;
}

bool wanted_has(const struct wanted *w, const struct input *in)
{
	switch (w->side) {
	case WANTED_NEAR: return !in->remote;
	case WANTED_FAR: return in->remote;
	case WANTED_ALL: return true;
	}
	return false;
}

static bool is_at_or_below(const char *path, const char *dir, size_t len)
{
	return len && strncmp(path, dir, len) == 0 &&
	       (len == 1 || path[len] == '\0' || path[len] == '/');
}

bool wanted_is_far(const struct wanted *w, const char *path)
{
	for (size_t i = 0; i < w->n; i++) {
		const struct input *in = &w->inputs[i];
		for (size_t k = 0; in->remote && k < in->paths.n; k++)
			if (is_at_or_below(path, in->paths.items[k],
					   glob_literal_dir(in->paths.items[k])))
				return true;
	}
	return false;
}

static bool is_others(const struct wanted *w, const char *path)
{
	return w->side == WANTED_NEAR && wanted_is_far(w, path);
}

struct input *wanted_by(const struct wanted *w, const char *path)
{
	for (size_t i = 0; i < w->n; i++)
		if (wanted_has(w, &w->inputs[i]) && named(&w->inputs[i], path) &&
		    !excluding(&w->inputs[i], path))
			return is_others(w, path) ? NULL : &w->inputs[i];
	return NULL;
}

const struct input *wanted_excluded_by(const struct wanted *w, const char *path,
				       const char **ret_glob)
{
	for (size_t i = 0; i < w->n; i++) {
		if (!named(&w->inputs[i], path))
			continue;
		*ret_glob = excluding(&w->inputs[i], path);
		if (*ret_glob)
			return &w->inputs[i];
	}
	return NULL;
}

static bool whole_tree_excluded(const struct input *in, const char *dir)
{
	char below[PATH_MAX + 8];
	if (snprintf(below, sizeof(below), "%s/x", strcmp(dir, "/") == 0 ? "" : dir) >=
	    (int)sizeof(below))
		return true;
	for (size_t i = 0; i < in->exclude.n; i++) {
		const char *glob = in->exclude.items[i];
		if (strchr(glob, '/') && span_ends_with(span_of(glob), SPAN_LITERAL("/**")) &&
		    glob_match(glob, below))
			return true;
	}
	return false;
}

typedef bool path_test(const char *glob, const char *dir);

static bool any(const struct wanted *w, const char *dir, path_test *test, bool remote_only)
{
	for (size_t i = 0; i < w->n; i++) {
		const struct input *in = &w->inputs[i];
		if (!wanted_has(w, in) || (remote_only && !in->remote) ||
		    whole_tree_excluded(in, dir))
			continue;
		for (size_t k = 0; k < in->paths.n; k++)
			if (test(in->paths.items[k], dir))
				return !is_others(w, dir);
	}
	return false;
}

bool wanted_below(const struct wanted *w, const char *dir)
{
	return any(w, dir, glob_match_below, false);
}

bool wanted_remote(const struct wanted *w, const char *dir)
{
	return any(w, dir, glob_match_below, true);
}

static bool leads_explicitly(const char *glob, const char *dir)
{
	char before[GLOB_PATTERN_MAX];
	const char *stars = strstr(glob, "/**");
	if (!stars)
		return glob_match_below(glob, dir);
	size_t n = (size_t)(stars - glob);
	if (n == 0 || n >= sizeof(before))
		return false;
	memcpy(before, glob, n);
	before[n] = '\0';
	return glob_match(before, dir) || glob_match_below(before, dir);
}

bool wanted_through(const struct wanted *w, const char *dir)
{
	return any(w, dir, leads_explicitly, false);
}

/* Something other than the next literal component leads on. */
static bool leads_by_wildcard(const char *glob, const char *dir)
{
	return glob_match_below(glob, dir) && glob_literal_dir(glob) <= strlen(dir);
}

bool wanted_only_through(const struct wanted *w, const char *dir)
{
	return !any(w, dir, leads_by_wildcard, false);
}

/* The directory below `dir` that the glob names without wildcards; 0: none, else its length. */
static size_t next_length(const char *glob, const char *dir)
{
	size_t literal = glob_literal_dir(glob), root = strcmp(dir, "/") == 0 ? 0 : strlen(dir);
	if (literal <= strlen(dir) || !glob_match_below(glob, dir))
		return 0;
	const char *slash = memchr(glob + root + 1, '/', literal - root - 1);
	return slash ? (size_t)(slash - glob) : literal;
}

static const char *nth_glob(const struct wanted *w, size_t n)
{
	for (size_t i = 0; i < w->n; i++) {
		if (!wanted_has(w, &w->inputs[i]))
			continue;
		if (n < w->inputs[i].paths.n)
			return w->inputs[i].paths.items[n];
		n -= w->inputs[i].paths.n;
	}
	return NULL;
}

bool wanted_next(const struct wanted *w, const char *dir, size_t *cursor, char *dst, size_t size)
{
	for (const char *glob; (glob = nth_glob(w, *cursor)) != NULL; ++*cursor) {
		size_t n = next_length(glob, dir);
		bool seen = n == 0 || n >= size;
		for (size_t before = 0; before < *cursor && !seen; before++) {
			const char *other = nth_glob(w, before);
			seen = next_length(other, dir) == n && memcmp(other, glob, n) == 0;
		}
		if (seen)
			continue;
		memcpy(dst, glob, n);
		dst[n] = '\0';
		++*cursor;
		return true;
	}
	return false;
}
