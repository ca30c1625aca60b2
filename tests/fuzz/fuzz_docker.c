/* The decoder of Docker's lines: it takes any bytes; what it calls clean is clean; and what moby
 * lays out plainly means what yajl reads in the same line laid out otherwise. */
#include "agent/lines/docker.h"

#include "common/json.h"
#include "common/line.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct container_line *a, const struct container_line *b)
{
	assert(span_equal(a->text, b->text));
	assert(a->time_us == b->time_us && a->output == b->output && a->partial == b->partial);
}

static int see_key(void *user, struct span key, struct json_value v)
{
	(void)v;
	/* A key that is given twice means one thing to a scanner and another to yajl. */
	static const char *const once[] = {"log", "stream", "time"};
	unsigned *seen = user;
	for (unsigned i = 0; i < 3; i++) {
		if (!span_is(key, once[i]))
			continue;
		if (*seen & 1U << i)
			return -EEXIST;
		*seen |= 1U << i;
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span line = span_make((const char *)data, size);
	struct buf scratch = BUF_EMPTY, other = BUF_EMPTY, copy = BUF_EMPTY;
	struct container_line l, odd;
	unsigned seen = 0;
	if (docker_decode(line, line_clean(line), &scratch, &l) == 0) {
		assert(l.output <= 1);
		assert(!l.clean || line_clean(l.text));
		/* A blank in front is nothing moby writes: yajl reads the line then. */
		if (json_read_object(line, see_key, &seen) == 0) {
			assert(buf_add_char(&copy, ' ') == 0 && buf_add_span(&copy, line) == 0);
			assert(docker_decode(buf_span(&copy), false, &other, &odd) == 0);
			same(&l, &odd);
		}
	}
	buf_free(&scratch);
	buf_free(&other);
	buf_free(&copy);
	return 0;
}
