/* Head or continuation, and under which time: the option `multiline`.
 *
 * A line is shipped as soon as it is read, so this needs no timers and no holding back:
 * the first line of a stack trace is a head, the further ones are continuations that
 * carry their head's time. */
#ifndef HAUL_AGENT_CLASSIFY_H
#define HAUL_AGENT_CLASSIFY_H

#include "agent/position.h"

/* So many continuations in a row without one line that has a timestamp are not one event:
 * the stream is then taken for one without timestamps until the next line that has one.
 */
#define CLASSIFY_CONTS_MAX 1000

struct classifier;

/* `spec`: auto | off | head:REGEX | continuation:REGEX. Errors: -EINVAL with ret_why;
 * -ENOMEM. */
int classifier_new(const char *spec, struct classifier **ret, char *ret_why,
		   size_t why_size) MUST_CHECK;
void classifier_free(struct classifier *c);

struct line_class {
	int64_t time_us;
	enum line_kind kind; /* LINE_HEAD or LINE_CONT */
	bool read_time;
};

/* `line` is the message as it was written, `stamp_us` its own time (NULL: it has none),
 * `read_us` that of reading. Moves `f` on. */
struct line_class classify(const struct classifier *c, struct frame_state *f, struct span line,
			   const int64_t *stamp_us, int64_t read_us);

#endif
