/* Head or continuation, and under which time: the option `multiline`.
 *
 * A line is shipped as soon as it is read, so this needs no timers and no holding back: the first
 * line of a stack trace is a head, the further ones are continuations that carry their head's
 * time. */
#ifndef HAUL_AGENT_CLASSIFY_H
#define HAUL_AGENT_CLASSIFY_H

#include "agent/lines/position.h"

/* So many continuations in a row without one line that has a timestamp are not one event: the
 * stream is then taken for one without timestamps until the next line that has one. */
#define CLASSIFY_CONTS_MAX 1000

struct classifier;

/* `spec`: auto | off | head:REGEX | continuation:REGEX. Errors: -EINVAL with ret_why; -ENOMEM. */
int classifier_new(const char *spec, struct classifier **ret, char *ret_why,
		   size_t why_size) MUST_CHECK;
void classifier_free(struct classifier *c);

struct line_class {
	int64_t time_us;
	enum line_kind kind; /* LINE_HEAD or LINE_CONT */
	bool read_time;
};

/* What a line goes by that has no time of its own. */
struct line_moment {
	int64_t us;
	bool is_reading; /* when it was read; else when a container's runtime took it */
};

/* `line` is the message as it was written, `stamp_us` its own time (NULL: it has none). Moves `o`
 * on. */
struct line_class classify(const struct classifier *c, struct output_state *o, struct span line,
			   const int64_t *stamp_us, struct line_moment otherwise);

#endif
