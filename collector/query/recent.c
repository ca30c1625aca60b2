/* Whole events as they grow: see recent.h. Called by tail for each line of a shard. A head and its
 * continuations nearly always stand together; where lines of another stream come between, what
 * follows them stands for itself. */
#include "collector/query/recent.h"

#include "common/columns.h"

#include <stdlib.h>

struct recent {
	bool open;      /* there was a head, and its lines so far */
	bool matched;   /* one of them did */
	struct buf key; /* the head's time and stream */
	bool from_stderr;
	struct buf lines; /* while it has not matched */
	bool given;       /* the lines were given out: they go with the next call */
};

struct recent *recent_new(void)
{
	return calloc(1, sizeof(struct recent));
}

void recent_free(struct recent *r)
{
	if (!r)
		return;
	buf_free(&r->key);
	buf_free(&r->lines);
	free(r);
}

struct span recent_before(const struct recent *r)
{
	return r->given ? buf_span(&r->lines) : span_make(NULL, 0);
}

static int keep_line(struct recent *r, struct span line)
{
	int result = 0;
	if (r->lines.len + line.len >= RECENT_BYTES)
		return 0;
	result = buf_add_span(&r->lines, line);
	return result < 0 ? result : buf_add_char(&r->lines, '\n');
}

/* A head: the event before it is over. */
static int begin(struct recent *r, struct span line, const struct columns *c, bool matched)
{
	r->open = true;
	r->matched = matched;
	r->from_stderr = columns_flag(c, 'e');
	buf_clear(&r->lines);
	buf_clear(&r->key);
	int result = buf_add(&r->key, line.ptr, CIVIL_TIME_LEN);
	if (result == 0)
		result = buf_add_span(&r->key, c->stream);
	if (result == 0 && !matched)
		result = keep_line(r, line);
	return result;
}

static bool goes_on(const struct recent *r, struct span line, const struct columns *c)
{
	struct span key = buf_span(&r->key);
	return r->open && r->from_stderr == columns_flag(c, 'e') &&
	       span_starts_with(key, span_first(line, CIVIL_TIME_LEN)) &&
	       span_equal(span_from(key, CIVIL_TIME_LEN), c->stream);
}

int recent_add(struct recent *r, struct span line, bool matched)
{
	struct columns c;
	int result = 0;
	if (r->given)
		buf_clear(&r->lines);
	r->given = false;
	if (!columns_split(line, &c))
		return matched;
	if (columns_flag(&c, 'F'))
		result = begin(r, line, &c, matched);
	else if (!columns_flag(&c, '+') || !goes_on(r, line, &c))
		return matched;
	else if (matched && !r->matched)
		r->given = r->matched = true;
	else if (!r->matched)
		result = keep_line(r, line);
	return result < 0 ? result : matched || r->matched;
}
