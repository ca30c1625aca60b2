/* keep, drop and mask of an input: which lines are sent, and what of them leaves the host as
 * ***. */
#ifndef HAUL_AGENT_FILTER_H
#define HAUL_AGENT_FILTER_H

#include "common/conf.h"
#include "common/span.h"

struct filter;

/* Several patterns of a kind are alternatives: a line is kept when one of `keep` matches (or there
 * is none), dropped when one of `drop` does. *ret is NULL when all three are empty. Errors: -EINVAL
 * with ret_why. */
int filter_new(const struct conf_list *keep, const struct conf_list *drop,
	       const struct conf_list *mask, struct filter **ret, char *ret_why,
	       size_t why_size) MUST_CHECK;
void filter_free(struct filter *f);

/* Does the line go? A pattern that explodes on it does not decide against it: nothing is lost by
 * it. */
bool filter_keeps(struct filter *f, struct span line);

/* Has it anything to hide? */
bool filter_masks(const struct filter *f);

/* Masks: *line then points into the filter's own memory until the next call; returns how many
 * places were masked. Each pattern sees the line as it was written. When that cannot be decided (a
 * pattern that explodes, no memory) the whole line becomes ***: the original never leaves the host.
 * So it does when it is not `whole`: what is to be hidden may be parted, or written in escapes. */
size_t filter_mask(struct filter *f, struct span *line, bool whole);

#endif
