/* Lines beside a place: see nearby.h. Called for the rest of an event at the border of a piece, for
 * events whose head stands far before, and for context lines.
 *
 * Forward, the reader simply goes on, and stays where it is in case more is wanted. Backward, a
 * plain file is read by position; of a sealed one the frame before is found by walking the frames,
 * that of a gzip file by inflating from its start. What cannot be read is passed over: the search
 * itself reports damage. */
#include "collector/query/nearby.h"

#include "collector/query/reader.h"
#include "collector/query/zstdfile.h"
#include "common/file.h"

#include <errno.h>
#include <stdlib.h>

enum {
	BACK_BYTES = 256 * 1024,
	BACK_BYTES_MAX = 64 * 1024 * 1024, /* for one long line */
	KEEP_BYTES = 1024 * 1024,          /* of a large frame's windows */
};

struct nearby {
	struct reader *reader;
	struct segments *segments;
	uint32_t segment; /* held open; SEGMENT_NONE: none */
	int fd;
	bool reading; /* the reader stands at `next` */
	struct place next;
	struct buf back; /* lines before a place */
};

struct nearby *nearby_new(void)
{
	struct nearby *n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->segment = SEGMENT_NONE;
	n->reader = reader_new();
	if (!n->reader) {
		free(n);
		return NULL;
	}
	return n;
}

void nearby_close(struct nearby *n)
{
	if (n->segment != SEGMENT_NONE)
		segments_release(n->segments, n->segment);
	n->segment = SEGMENT_NONE;
	n->reading = false;
}

void nearby_free(struct nearby *n)
{
	if (!n)
		return;
	nearby_close(n);
	reader_free(n->reader);
	buf_free(&n->back);
	free(n);
}

static bool hold(struct nearby *n, struct segments *segments, uint32_t ordinal)
{
	if (n->segment == ordinal && n->segments == segments)
		return true;
	nearby_close(n);
	if (segments_acquire(segments, ordinal, &n->fd) < 0)
		return false;
	n->segments = segments;
	n->segment = ordinal;
	return true;
}

static const struct segment *held(const struct nearby *n)
{
	return segments_get(n->segments, n->segment);
}

/* 1, 0 or -ENOMEM: nothing else matters here. */
static int next_window(struct nearby *n, struct window *ret)
{
	int r;
	do {
		r = reader_next(n->reader, ret);
	} while (r == -EBADMSG);
	if (r <= 0) {
		n->reading = false;
		return r == -ENOMEM ? r : 0;
	}
	ret->at.rank = held(n)->rank;
	n->next = ret->at;
	n->next.offset += ret->lines.len;
	return 1;
}

static int start_reading(struct nearby *n, uint64_t from)
{
	struct piece piece = {.segment = n->segment, .from = from, .to = held(n)->size};
	int r = reader_start(n->reader, held(n)->form, n->fd, held(n)->size, piece);
	n->reading = r == 0;
	return r;
}

/* The first window that reaches beyond `from`, cut there. */
static int window_from(struct nearby *n, struct place from, struct window *ret)
{
	int r;
	if (!n->reading || place_compare(&n->next, &from) != 0) {
		r = start_reading(n, segment_is_plain(held(n)) ? from.offset : from.block);
		if (r < 0)
			return r;
	}
	while ((r = next_window(n, ret)) > 0) {
		if (ret->at.block > from.block || ret->at.offset >= from.offset)
			return 1;
		uint64_t skip = from.offset - ret->at.offset;
		if (skip >= ret->lines.len)
			continue;
		ret->lines = span_from(ret->lines, (size_t)skip);
		ret->at = from;
		return 1;
	}
	return r;
}

int nearby_after(struct nearby *n, struct segments *segments, struct place from, struct window *ret)
{
	for (;;) {
		if (!hold(n, segments, from.segment))
			return 0;
		int r = window_from(n, from, ret);
		if (r != 0)
			return r;
		if (held(n)->next == SEGMENT_NONE)
			return 0;
		from = (struct place){.segment = held(n)->next};
	}
}

/* --- backward --- */

static int before_in_plain(struct nearby *n, uint64_t before, struct window *ret)
{
	for (uint64_t want = BACK_BYTES; want <= BACK_BYTES_MAX; want *= 4) {
		uint64_t from = before > want ? before - want : 0;
		size_t len = (size_t)(before - from);
		buf_clear(&n->back);
		int r = buf_reserve(&n->back, len);
		if (r < 0)
			return r;
		ssize_t got = file_pread_full(n->fd, n->back.ptr, len, from);
		if (got < (ssize_t)len)
			return 0;
		n->back.len = len;
		struct span lines = buf_span(&n->back);
		if (from > 0) {
			size_t cut = span_find(lines, '\n') + 1;
			if (cut >= lines.len)
				continue; /* one long line: look further back */
			lines = span_from(lines, cut);
			from += cut;
		}
		ret->lines = lines;
		ret->at = (struct place){
			.segment = n->segment, .rank = held(n)->rank, .offset = from};
		return 1;
	}
	return 0;
}

/* Reads from the frame or member at `from` on and keeps the last lines before `limit`. */
static int last_lines_before(struct nearby *n, uint64_t from, struct place limit,
			     struct window *ret)
{
	struct window w;
	struct place kept = {0};
	buf_clear(&n->back);
	int r = start_reading(n, from);
	if (r < 0)
		return r;
	while ((r = next_window(n, &w)) > 0 && place_compare(&w.at, &limit) < 0) {
		uint64_t room = w.at.block == limit.block ? limit.offset - w.at.offset : UINT64_MAX;
		if (room < w.lines.len)
			w.lines.len = (size_t)room;
		bool goes_on = n->back.len && kept.block == w.at.block && n->back.len < KEEP_BYTES;
		if (!goes_on) {
			buf_clear(&n->back);
			kept = w.at;
		}
		r = buf_add_span(&n->back, w.lines);
		if (r < 0)
			return r;
	}
	n->reading = false;
	if (r < 0 || n->back.len == 0)
		return r < 0 ? r : 0;
	ret->lines = buf_span(&n->back);
	ret->at = kept;
	return 1;
}

struct frame_search {
	uint64_t before, found;
	bool any;
};

static int look_at_frame(void *user, uint64_t at, uint64_t length)
{
	struct frame_search *f = user;
	(void)length;
	if (at >= f->before)
		return -ECANCELED;
	f->found = at;
	f->any = true;
	return 0;
}

static int before_in_packed(struct nearby *n, struct place before, struct window *ret)
{
	if (before.offset > 0) {
		int r = last_lines_before(n, before.block, before, ret);
		if (r != 0)
			return r;
	}
	uint64_t from = 0;
	if (held(n)->form == SEGMENT_ZSTD) {
		struct frame_search f = {.before = before.block};
		int r = zstdfile_walk(n->fd, held(n)->size, look_at_frame, &f);
		if ((r < 0 && r != -ECANCELED) || !f.any)
			return r == -ENOMEM ? r : 0;
		from = f.found;
	}
	before.offset = 0;
	return from < before.block ? last_lines_before(n, from, before, ret) : 0;
}

int nearby_before(struct nearby *n, struct segments *segments, struct place before,
		  struct window *ret)
{
	for (;;) {
		if (!hold(n, segments, before.segment))
			return 0;
		n->reading = false;
		int r = 0;
		if (!segment_is_plain(held(n)))
			r = before_in_packed(n, before, ret);
		else if (before.offset > 0)
			r = before_in_plain(n, before.offset, ret);
		if (r != 0)
			return r;
		uint32_t earlier = held(n)->before;
		if (earlier == SEGMENT_NONE || !hold(n, segments, earlier))
			return 0;
		/* Its end. */
		before = (struct place){.segment = earlier};
		if (segment_is_plain(held(n)))
			before.offset = held(n)->size;
		else
			before.block = held(n)->size;
	}
}
