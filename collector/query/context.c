/* Context lines: see context.h. Called by grep between the search and the output.
 *
 * Lines are counted in the shard: context goes on in the segment before and behind. The files are
 * read a second time, but only around what was found. A group that grows large is put out in parts,
 * which the sorter keeps together: they have the same time and follow each other in place. */
#include "collector/query/context.h"

#include "collector/query/nearby.h"

#include <errno.h>

enum { PART_BYTES = 1024 * 1024 };

/* Reads lines forward, one by one. */
struct cursor {
	struct nearby *nearby;
	struct window window;
	const char *at; /* in the window; NULL: nothing is in hand */
};

struct context {
	struct segments *segments;
	struct sorter *out;
	uint64_t before, after;
	struct cursor forward;
	struct nearby *backward;
	struct buf group; /* a record's body */
	bool open;        /* there is a group, whose last line ended at `end` */
	struct place end;
	bool has_key;
	struct record head; /* of the group's next part, without body */
	struct buf gap;     /* lines behind `end` that may become the group's */
	struct buf lines;   /* before a place */
};

/* --- lines forward --- */

/* Is `place` in what is in hand? Then the cursor goes there. */
static bool cursor_seek(struct cursor *c, const struct place *place)
{
	const struct place *start = &c->window.at;
	if (!c->at || place->segment != start->segment || place->block != start->block ||
	    place->offset < start->offset || place->offset - start->offset >= c->window.lines.len)
		return false;
	c->at = c->window.lines.ptr + (place->offset - start->offset);
	return true;
}

/* The next line at or behind `from`, which is set to where it stands. 1, 0, -errno. */
static int cursor_next(struct cursor *c, struct segments *segments, struct place *from,
		       struct span *ret)
{
	if (!cursor_seek(c, from)) {
		int r = nearby_after(c->nearby, segments, *from, &c->window);
		c->at = r > 0 ? c->window.lines.ptr : NULL;
		if (r <= 0)
			return r;
		*from = c->window.at;
	}
	const char *end = c->window.lines.ptr + c->window.lines.len;
	const char *lf = memchr(c->at, '\n', (size_t)(end - c->at));
	*ret = span_make(c->at, (size_t)(lf - c->at));
	return 1;
}

/* --- groups --- */

static int add_line(struct buf *body, struct span line, bool matched)
{
	int r = buf_add_char(body, matched ? RECORD_MATCHED : RECORD_SHOWN);
	if (r == 0)
		r = buf_add_span(body, line);
	return r < 0 ? r : buf_add_char(body, '\n');
}

/* Puts out what the group has so far. */
static int put_part(struct context *c)
{
	c->head.body = buf_span(&c->group);
	int r = c->group.len ? sorter_add(c->out, &c->head) : 0;
	buf_clear(&c->group);
	c->head.joined = true;
	c->head.key_at = 1;
	c->head.at = c->end;
	return r;
}

/* `found`: the line is one of those that context is shown for. */
static int group_add(struct context *c, struct span line, bool found, bool matched)
{
	if (found && !c->has_key) {
		c->has_key = true;
		c->head.time_us = record_time(line);
		c->head.key_at = (uint32_t)c->group.len + 1;
	}
	c->head.matched = c->head.matched || matched;
	int r = add_line(&c->group, line, matched);
	c->end.offset += line.len + 1;
	if (r == 0 && c->has_key && c->group.len >= PART_BYTES)
		r = put_part(c);
	return r;
}

/* The first `max` lines of the gap become the group's. */
static int take_gap(struct context *c, uint64_t max)
{
	struct record gap = {.body = buf_span(&c->gap)};
	struct span line;
	bool matched;
	int r = 0;
	for (size_t at = 0; r == 0 && max && record_next_line(&gap, &at, &line, &matched); max--)
		r = group_add(c, line, false, false);
	buf_clear(&c->gap);
	return r;
}

/* Reads behind the group: up to `max` lines, or to `until`. 1: it was reached; 0: not. *ret_end is
 * behind what was read. */
static int read_gap(struct context *c, uint64_t max, const struct place *until)
{
	struct place at = c->end;
	buf_clear(&c->gap);
	for (;; max--) {
		struct span line;
		if (until && place_compare(&at, until) == 0)
			return 1;
		if (max == 0 && !until)
			return 0;
		int r = cursor_next(&c->forward, c->segments, &at, &line);
		if (r <= 0)
			return r;
		/* The line may stand in the next frame or segment. */
		if (until && place_compare(&at, until) == 0)
			return 1;
		if (max == 0)
			return 0;
		r = add_line(&c->gap, line, false);
		if (r < 0)
			return r;
		at.offset += line.len + 1;
	}
}

static int end_group(struct context *c)
{
	if (!c->open)
		return 0;
	int r = read_gap(c, c->after, NULL);
	if (r == 0)
		r = take_gap(c, c->after);
	c->open = false;
	return r < 0 ? r : put_part(c);
}

/* Puts the last lines of `w` before what `lines` has, at most `max` in all. Returns how many it
 * has. */
static int take_before(struct context *c, const struct window *w, uint64_t max, uint64_t *count,
		       struct place *ret_first)
{
	const char *at = w->lines.ptr + w->lines.len;
	struct buf joined = BUF_EMPTY;
	while (at > w->lines.ptr && *count < max) {
		const char *lf = memrchr(w->lines.ptr, '\n', (size_t)(at - 1 - w->lines.ptr));
		at = lf ? lf + 1 : w->lines.ptr;
		++*count;
	}
	*ret_first = window_place(w, at);
	int r = buf_add(&joined, at, (size_t)(w->lines.ptr + w->lines.len - at));
	if (r == 0)
		r = buf_add_span(&joined, buf_span(&c->lines));
	if (r < 0) {
		buf_free(&joined);
		return r;
	}
	buf_free(&c->lines);
	c->lines = joined;
	return 0;
}

static int begin_group(struct context *c, const struct record *found)
{
	struct place first = found->at;
	uint64_t count = 0;
	int r = 0;
	buf_clear(&c->lines);
	buf_clear(&c->group);
	while (count < c->before) {
		struct window w;
		r = nearby_before(c->backward, c->segments, first, &w);
		if (r <= 0)
			break;
		r = take_before(c, &w, c->before, &count, &first);
		if (r < 0)
			break;
	}
	if (r < 0)
		return r;
	c->open = true;
	c->has_key = false;
	c->head = (struct record){.time_us = RECORD_NO_TIME, .at = first, .key_at = 1};
	for (size_t at = 0; r == 0 && at < c->lines.len;) {
		struct span rest = span_from(buf_span(&c->lines), at);
		size_t len = span_find(rest, '\n');
		r = group_add(c, span_first(rest, len), false, false);
		at += len + 1;
	}
	return r;
}

static int add_found(struct context *c, const struct record *found)
{
	int r = 0;
	if (c->open) {
		r = read_gap(c, c->before + c->after, &found->at);
		if (r > 0)
			r = take_gap(c, UINT64_MAX);
		else if (r == 0)
			r = end_group(c);
	}
	if (r == 0 && !c->open)
		r = begin_group(c, found);
	if (r < 0)
		return r;
	struct span line;
	bool matched;
	size_t at = 0;
	if (!record_next_line(found, &at, &line, &matched))
		return 0;
	c->end = found->at;
	return group_add(c, line, true, matched);
}

int context_add(struct merge *found, struct segments *segments, uint64_t before, uint64_t after,
		struct sorter *out)
{
	struct context c = {.segments = segments, .out = out, .before = before, .after = after};
	struct record record;
	c.forward.nearby = nearby_new();
	c.backward = nearby_new();
	int r = c.forward.nearby && c.backward ? 1 : -ENOMEM;
	while (r > 0 && (r = merge_next(found, &record)) > 0) {
		r = add_found(&c, &record);
		r = r < 0 ? r : 1;
	}
	if (r == 0)
		r = end_group(&c);
	nearby_free(c.forward.nearby);
	nearby_free(c.backward);
	buf_free(&c.group);
	buf_free(&c.gap);
	buf_free(&c.lines);
	return r;
}
