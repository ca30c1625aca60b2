/* Head or continuation: see classify.h. Called by the pump once a line; what it has to remember
 * lives in the stream's frame_state, by output, and travels with the offset, so a restart in the
 * middle of a stack trace goes on with the right time. */
#include "agent/lines/classify.h"

#include "agent/lines/regex.h"

#include <errno.h>
#include <stdlib.h>

enum mode { MODE_AUTO, MODE_OFF, MODE_HEAD, MODE_CONTINUATION };

struct classifier {
	enum mode mode;
	struct regex *regex;
};

int classifier_new(const char *spec, struct classifier **ret, char *ret_why, size_t why_size)
{
	static const struct {
		const char *prefix;
		enum mode mode;
	} regexes[] = {{"head:", MODE_HEAD}, {"continuation:", MODE_CONTINUATION}};

	struct classifier *c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	int r = 0;
	if (strcmp(spec, "auto") == 0) {
		c->mode = MODE_AUTO;
	} else if (strcmp(spec, "off") == 0) {
		c->mode = MODE_OFF;
	} else {
		r = -EINVAL;
		strncpy(ret_why, "auto, off, head:REGEX or continuation:REGEX is meant",
			why_size - 1);
		ret_why[why_size - 1] = '\0';
		for (size_t i = 0; i < sizeof(regexes) / sizeof(regexes[0]); i++) {
			size_t n = strlen(regexes[i].prefix);
			if (strncmp(spec, regexes[i].prefix, n) != 0)
				continue;
			c->mode = regexes[i].mode;
			r = regex_new(spec + n, &c->regex, ret_why, why_size);
		}
	}
	if (r < 0) {
		classifier_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

void classifier_free(struct classifier *c)
{
	if (!c)
		return;
	regex_free(c->regex);
	free(c);
}

static bool is_continuation(const struct classifier *c, const struct output_state *o,
			    struct span line, bool has_stamp)
{
	switch (c->mode) {
	case MODE_OFF: return false;
	case MODE_HEAD: return regex_match(c->regex, line) <= 0;
	case MODE_CONTINUATION: return regex_match(c->regex, line) > 0;
	case MODE_AUTO: break;
	}
	if (!o->has_stamps)
		return false;
	return !has_stamp || line.ptr[0] == ' ' || line.ptr[0] == '\t';
}

struct line_class classify(const struct classifier *c, struct output_state *o, struct span line,
			   const int64_t *stamp_us, struct line_moment otherwise)
{
	if (o->head_us != INT64_MIN && is_continuation(c, o, line, stamp_us != NULL)) {
		if (stamp_us || ++o->conts < CLASSIFY_CONTS_MAX || c->mode != MODE_AUTO)
			return (struct line_class){o->head_us, LINE_CONT, o->head_read_time};
		o->has_stamps = false;
	}
	o->conts = 0;
	o->head_us = stamp_us ? *stamp_us : otherwise.us;
	o->head_read_time = !stamp_us && otherwise.is_reading;
	if (stamp_us)
		o->has_stamps = true;
	return (struct line_class){o->head_us, LINE_HEAD, o->head_read_time};
}
