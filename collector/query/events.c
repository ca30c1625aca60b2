/* Whole events: see events.h.
 *
 * Events whose first lines were found are open: a table says which (time, stream, origin) they
 * have. The lines behind a hit are swept: a continuation of an open event is shown, a new head with
 * the same key closes it. A sweep looks at eight bytes of most lines, and happens only near hits;
 * the table's size bounds how many events are open at a time. A continuation that matches without
 * an open event looks for its head backwards.
 *
 * Lines may be given to the sorter twice, by two threads at the border of their pieces or by a head
 * that matched before it was looked for; the merge shows them once. */
#include "collector/query/events.h"

#include "collector/query/nearby.h"
#include "common/columns.h"

#include <errno.h>
#include <stdlib.h>

enum {
	OPEN_MAX_EVENTS = 4096,
	BUCKETS = 8192,
	TIMES = 4096,
	NO_ENTRY = UINT16_MAX,
	CLOCK_AT = 11, /* where the time of day begins in a time */
};

struct key {
	char time[CIVIL_TIME_LEN];
	bool from_stderr;
	uint64_t stream;
};

struct entry {
	struct key key;
	bool open;
	uint16_t next; /* in its bucket */
	uint16_t bucket, time;
	uint64_t last; /* where its last line ended */
};

struct events {
	struct sorter *out;
	struct nearby *nearby;
	struct segments *segments;
	struct window window;
	uint64_t base;  /* bytes of the piece before the window */
	const char *at; /* swept so far, in the window */
	bool in_piece;
	unsigned n_open;
	/* a ring, in order of opening */
	struct entry entries[OPEN_MAX_EVENTS];
	uint64_t first, end; /* numbers of entries; modulo OPEN_MAX_EVENTS */
	uint16_t buckets[BUCKETS];
	uint16_t times[TIMES]; /* open events by time: most lines are told by it */
};

struct events *events_new(struct sorter *out)
{
	struct events *e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->out = out;
	e->nearby = nearby_new();
	if (!e->nearby) {
		free(e);
		return NULL;
	}
	memset(e->buckets, 0xff, sizeof(e->buckets));
	return e;
}

void events_free(struct events *e)
{
	if (!e)
		return;
	nearby_free(e->nearby);
	free(e);
}

/* --- the table --- */

static uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t h = a * UINT64_C(0x9e3779b97f4a7c15) ^ b * UINT64_C(0xc2b2ae3d27d4eb4f);
	return h ^ h >> 29;
}

static uint64_t hash_bytes(struct span s)
{
	uint64_t h = s.len;
	while (s.len) {
		uint64_t word = 0;
		size_t n = s.len < sizeof(word) ? s.len : sizeof(word);
		memcpy(&word, s.ptr, n);
		h = mix(h, word + 1);
		s = span_from(s, n);
	}
	return h;
}

/* Of the time of day, from the time's 27 bytes. */
static uint16_t hash_time(const char *time)
{
	uint64_t a, b;
	memcpy(&a, time + CLOCK_AT, sizeof(a));
	memcpy(&b, time + CLOCK_AT + sizeof(a), sizeof(b));
	return (uint16_t)(mix(a, b) >> 40 & (TIMES - 1));
}

static uint16_t hash_key(const struct key *k)
{
	uint64_t h = mix(k->stream + k->from_stderr, hash_time(k->time));
	return (uint16_t)(h >> 32 & (BUCKETS - 1));
}

static bool same_key(const struct key *a, const struct key *b)
{
	return a->stream == b->stream && a->from_stderr == b->from_stderr &&
	       memcmp(a->time, b->time, CIVIL_TIME_LEN) == 0;
}

static void entry_close(struct events *e, struct entry *entry)
{
	uint16_t self = (uint16_t)(entry - e->entries);
	uint16_t *at = &e->buckets[entry->bucket];
	while (*at != self)
		at = &e->entries[*at].next;
	*at = entry->next;
	e->times[entry->time]--;
	entry->open = false;
	e->n_open--;
}

static uint64_t here(const struct events *e, const char *p)
{
	return e->base + (uint64_t)(p - e->window.lines.ptr);
}

static struct entry *entry_find(struct events *e, const struct key *key, uint64_t now)
{
	for (uint16_t i = e->buckets[hash_key(key)]; i != NO_ENTRY; i = e->entries[i].next) {
		struct entry *entry = &e->entries[i];
		if (!same_key(&entry->key, key))
			continue;
		if (now - entry->last <= EVENTS_REACH)
			return entry;
		entry_close(e, entry);
		return NULL;
	}
	return NULL;
}

/* Lets go of those that are too far behind to be continued. */
static void expire(struct events *e, uint64_t now)
{
	for (; e->first < e->end; e->first++) {
		struct entry *entry = &e->entries[e->first % OPEN_MAX_EVENTS];
		if (!entry->open)
			continue;
		if (e->end - e->first < OPEN_MAX_EVENTS && now - entry->last <= EVENTS_REACH)
			return;
		entry_close(e, entry);
	}
}

static void entry_open(struct events *e, const struct key *key, uint64_t now)
{
	expire(e, now);
	uint16_t index = (uint16_t)(e->end++ % OPEN_MAX_EVENTS);
	struct entry *entry = &e->entries[index];
	uint16_t bucket = hash_key(key);
	*entry = (struct entry){.key = *key,
				.open = true,
				.next = e->buckets[bucket],
				.bucket = bucket,
				.time = hash_time(key->time),
				.last = now};
	e->buckets[bucket] = index;
	e->times[entry->time]++;
	e->n_open++;
}

/* The line's key and kind (F, + or P); false for what is no line of haul's. */
static bool key_of(struct span line, struct key *ret, char *ret_kind)
{
	struct columns c;
	if (!columns_split(line, &c) || c.flags.len == 0)
		return false;
	memcpy(ret->time, line.ptr, CIVIL_TIME_LEN);
	ret->from_stderr = columns_flag(&c, 'e');
	ret->stream = hash_bytes(c.stream);
	*ret_kind = c.flags.ptr[0];
	return true;
}

/* --- forward --- */

static int show(struct events *e, const struct window *w, struct span line, bool matched)
{
	return sorter_add_line(e->out, line, window_place(w, line.ptr), matched);
}

/* A line that did not match, while events are open. */
static int sweep_line(struct events *e, struct span line)
{
	struct key key;
	char kind;
	if (line.len <= CIVIL_TIME_LEN || e->times[hash_time(line.ptr)] == 0)
		return 0;
	if (!key_of(line, &key, &kind) || kind == 'P')
		return 0;
	struct entry *entry = entry_find(e, &key, here(e, line.ptr));
	if (!entry)
		return 0;
	if (kind == 'F') {
		entry_close(e, entry);
		return 0;
	}
	entry->last = here(e, line.ptr + line.len);
	return show(e, &e->window, line, false);
}

static int sweep_to(struct events *e, const char *end)
{
	while (e->at < end && e->n_open) {
		const char *lf = memchr(e->at, '\n', (size_t)(end - e->at));
		int r = sweep_line(e, span_make(e->at, (size_t)(lf - e->at)));
		if (r < 0)
			return r;
		e->at = lf + 1;
	}
	e->at = end;
	return 0;
}

int events_window_end(struct events *e)
{
	const char *end = e->window.lines.ptr + e->window.lines.len;
	int r = sweep_to(e, end);
	e->base += e->window.lines.len;
	expire(e, e->base);
	return r;
}

bool events_open(const struct events *e)
{
	return e->n_open > 0;
}

static void begin_window(struct events *e, const struct window *w)
{
	e->window = *w;
	e->at = w->lines.ptr;
}

void events_window(struct events *e, struct segments *segments, const struct window *w)
{
	e->segments = segments;
	e->in_piece = true;
	begin_window(e, w);
}

int events_piece_end(struct events *e, struct segments *segments)
{
	int r = 0;
	if (!e->in_piece)
		return 0;
	struct place from = e->window.at;
	from.offset += e->window.lines.len;
	while (r == 0 && e->n_open) {
		struct window w;
		r = nearby_after(e->nearby, segments, from, &w);
		if (r <= 0)
			break;
		from = w.at;
		from.offset += w.lines.len;
		begin_window(e, &w);
		r = events_window_end(e);
	}
	while (e->n_open) {
		struct entry *entry = &e->entries[e->first++ % OPEN_MAX_EVENTS];
		if (entry->open)
			entry_close(e, entry);
	}
	e->first = e->end = e->base = 0;
	e->in_piece = false;
	return r;
}

void events_day_end(struct events *e)
{
	nearby_close(e->nearby);
}

/* --- backward --- */

/* Shows the lines of the event with that key, from the end of `w` back to its head. 1: the head was
 * found, or the last line that was is too far away; 0: it may stand before the window. */
static int show_back(struct events *e, const struct window *w, const struct key *key,
		     uint64_t *distance)
{
	struct span rest = w->lines;
	while (rest.len) {
		const char *lf = memrchr(rest.ptr, '\n', rest.len - 1);
		const char *start = lf ? lf + 1 : rest.ptr;
		struct span line = span_make(start, (size_t)(rest.ptr + rest.len - 1 - start));
		struct key other;
		char kind;
		rest.len = (size_t)(start - rest.ptr);
		*distance += line.len + 1;
		if (*distance > EVENTS_REACH)
			return 1;
		if (line.len <= CIVIL_TIME_LEN ||
		    memcmp(line.ptr, key->time, CIVIL_TIME_LEN) != 0 ||
		    !key_of(line, &other, &kind) || kind == 'P' || !same_key(&other, key))
			continue;
		*distance = 0;
		int r = show(e, w, line, false);
		if (r < 0)
			return r;
		if (kind == 'F')
			return 1;
	}
	return 0;
}

/* What stands before a continuation of its event. */
static int show_before(struct events *e, struct span line, const struct key *key)
{
	uint64_t distance = 0;
	struct window w = e->window;
	w.lines.len = (size_t)(line.ptr - w.lines.ptr);
	int r = show_back(e, &w, key, &distance);
	while (r == 0) {
		struct place before = w.at;
		r = nearby_before(e->nearby, e->segments, before, &w);
		if (r <= 0)
			break;
		r = show_back(e, &w, key, &distance);
	}
	return r < 0 ? r : 0;
}

int events_hit(struct events *e, struct span line)
{
	struct key key;
	char kind;
	int r = sweep_to(e, line.ptr);
	if (r == 0)
		r = show(e, &e->window, line, true);
	e->at = line.ptr + line.len + 1;
	if (r < 0 || !key_of(line, &key, &kind) || kind == 'P')
		return r;
	uint64_t end = here(e, line.ptr + line.len);
	struct entry *entry = entry_find(e, &key, here(e, line.ptr));
	if (entry) {
		/* Its continuation, or a new head with the same key. */
		entry->last = end;
		return 0;
	}
	if (kind == '+')
		r = show_before(e, line, &key);
	entry_open(e, &key, end);
	return r;
}
