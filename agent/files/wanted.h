/* Which input, if any, wants a path: the globs of all inputs, in their order. */
#ifndef HAUL_AGENT_WANTED_H
#define HAUL_AGENT_WANTED_H

#include "agent/input.h"

/* Inputs with remote = yes are followed by a thread of their own. */
enum wanted_side {
	/* the other inputs; what is below the literal directory of a far one's glob is not even
	 * looked at */
	WANTED_NEAR,
	WANTED_FAR, /* only those */
	WANTED_ALL,
};

struct wanted {
	struct input *inputs; /* the first that wants a path wins */
	size_t n;
	enum wanted_side side; /* the inputs of the other one are passed over */
};

/* Is it one of this side's inputs? */
bool wanted_has(const struct wanted *w, const struct input *in);

/* Is the path at or below the literal directory of a glob with remote = yes? Whichever side `w` is
 * of. */
bool wanted_is_far(const struct wanted *w, const char *path);

/* The input that wants a file of that path; NULL: none. */
struct input *wanted_by(const struct wanted *w, const char *path);

/* Could a file below this directory be wanted? */
bool wanted_below(const struct wanted *w, const char *dir);

/* Could a symbolic link of that path be gone through to find files below? Not where only a **
 * leads: a link to / would make it walk everything. */
bool wanted_through(const struct wanted *w, const char *dir);

/* Is the directory only on the way: every glob that leads below it names the next component without
 * wildcards? Then its own files are of no interest. */
bool wanted_only_through(const struct wanted *w, const char *dir);

/* The directories that globs name next below one that is only on the way, one after another:
 * *cursor is 0 to begin with; false: no further one. */
bool wanted_next(const struct wanted *w, const char *dir, size_t *cursor, char *dst, size_t size);

/* Does an input that allows network file systems want something below? */
bool wanted_remote(const struct wanted *w, const char *dir);

/* Is the path one that some input's globs name, but its exclude does not allow? The input, else
 * NULL. */
const struct input *wanted_excluded_by(const struct wanted *w, const char *path,
				       const char **ret_glob);

#endif
