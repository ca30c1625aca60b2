/* The table of sources: see source.h. It is where the agent's stages meet: discover adds sources
 * and moves them, follow reads them, the pump takes those that are ready, the shipper brings the
 * collector's word, the registry writes those that changed. None of them calls another for that.
 *
 * Invariants: committed.offset <= cursor.offset <= tail_at. Replay has exactly the bytes
 * [cursor.offset, tail_at) or is empty. A source is on the ready list only in a state in which it
 * may be read. ENDED ones are out of the index by inode, so that a file that gets their inode is a
 * new one. */
#include "agent/files/source.h"

#include "agent/files/descriptor.h"
#include "agent/files/source_table.h"
#include "agent/files/zreader.h"
#include "agent/journal/stream.h"
#include "agent/lines/envelope.h"
#include "common/clock.h"
#include "common/crc64.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* --- the table --- */

static bool id_is(const void *entry, const void *key)
{
	const struct source *s = entry;
	return stream_id_equal(&s->id, key);
}

struct source_table *source_table_new(void)
{
	struct source_table *t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	list_init(&t->all);
	list_init(&t->streams);
	list_init(&t->ready);
	list_init(&t->noticed);
	list_init(&t->stirred);
	list_init(&t->waiting);
	list_init(&t->open);
	past_init(&t->past);
	map_init(&t->by_id, id_is);
	source_index_init(t);
	t->max_open = SIZE_MAX;
	return t;
}

static void source_free(struct source *s)
{
	ladder_free(&s->ladder);
	stream_free(s->journal);
	buf_free(&s->replay);
	free(s->handle);
	free(s->input_name);
	zreader_free(s->zreader);
	free(s->path);
	free(s->service);
	free(s->instance);
	free(s);
}

void source_table_free(struct source_table *t)
{
	if (!t)
		return;
	for (struct source *s; (s = source_first_of_all(t)) != NULL;)
		source_drop(t, s);
	map_free(&t->by_id);
	source_index_free(t);
	past_free(&t->past);
	free(t);
}

static int fill(struct source *s, const struct source_config *c)
{
	s->path = strdup(c->path);
	s->service = strdup(c->service);
	s->instance = strdup(c->instance);
	if (!s->path || !s->service || !s->instance)
		return -ENOMEM;
	if (c->journal && !(s->journal = stream_new()))
		return -ENOMEM;
	s->id = c->id;
	s->ino = c->ino;
	s->btime_ns = c->btime_ns;
	s->dev = c->dev;
	s->input = c->input;
	s->start = s->tail_at = c->start;
	s->tail_known = c->start == 0;
	s->state = c->missing ? SOURCE_MISSING : SOURCE_NEW;
	s->fd = -1;
	s->spent_at = UINT64_MAX;
	position_init(&s->committed, c->start);
	position_init(&s->cursor, c->start);
	return 0;
}

int source_add(struct source_table *t, const struct source_config *config, struct source **ret)
{
	if (source_by_id(t, &config->id))
		return -EEXIST;
	struct source *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	int r = fill(s, config);
	if (r == 0)
		r = source_index_reserve(t);
	if (r == 0)
		r = map_add(&t->by_id, stream_id_hash(&s->id), s);
	if (r < 0) {
		source_free(s);
		return r;
	}
	if (!s->journal) {
		source_index_ino(t, s);
		source_index_family(t, s);
	}
	list_add_last(s->journal ? &t->streams : &t->all, &s->node);
	t->count++;
	*ret = s;
	return 0;
}

void source_drop(struct source_table *t, struct source *s)
{
	descriptor_close(t, s);
	envelope_free(s->envelope);
	s->envelope = NULL;
	if (!s->journal) {
		if (s->state != SOURCE_ENDED)
			source_unindex_ino(t, s);
		source_unindex_family(t, s);
	}
	(void)map_remove(&t->by_id, stream_id_hash(&s->id), &s->id);
	list_remove(&s->node);
	list_remove(&s->ready);
	list_remove(&s->waiting);
	list_remove(&s->noticed);
	list_remove(&s->stirred);
	if (s->touched)
		for (struct source **at = &t->touched; *at; at = &(*at)->next_touched)
			if (*at == s) {
				*at = s->next_touched;
				break;
			}
	t->count--;
	source_free(s);
}

struct source *source_by_id(const struct source_table *t, const struct stream_id *id)
{
	return map_find(&t->by_id, stream_id_hash(id), id);
}

struct source *source_by_ino(const struct source_table *t, uint64_t ino)
{
	return map_find(&t->by_ino, ino, &ino);
}

struct source *source_family(const struct source_table *t, const struct source *s)
{
	return map_find(&t->by_family, s->family, &s->family);
}

size_t source_count(const struct source_table *t)
{
	return t->count;
}

struct past_list *source_past(struct source_table *t)
{
	return &t->past;
}

struct source *source_first(const struct source_table *t)
{
	struct list_node *n = list_first(&t->all);
	return n ? LIST_ENTRY(n, struct source, node) : NULL;
}

struct source *source_after(const struct source_table *t, const struct source *s)
{
	struct list_node *n = list_next(&t->all, &s->node);
	return n ? LIST_ENTRY(n, struct source, node) : NULL;
}

struct source *source_first_stream(const struct source_table *t)
{
	struct list_node *n = list_first(&t->streams);
	return n ? LIST_ENTRY(n, struct source, node) : NULL;
}

struct source *source_after_stream(const struct source_table *t, const struct source *s)
{
	struct list_node *n = list_next(&t->streams, &s->node);
	return n ? LIST_ENTRY(n, struct source, node) : NULL;
}

struct source *source_first_of_all(const struct source_table *t)
{
	struct source *s = source_first(t);
	return s ? s : source_first_stream(t);
}

struct source *source_after_of_all(const struct source_table *t, const struct source *s)
{
	if (s->journal)
		return source_after_stream(t, s);
	struct source *next = source_after(t, s);
	return next ? next : source_first_stream(t);
}

int source_set_path(struct source_table *t, struct source *s, const char *path)
{
	if (strcmp(s->path, path) == 0)
		return 0;
	char *copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	if (!s->journal)
		source_unindex_family(t, s);
	free(s->path);
	s->path = copy;
	if (!s->journal)
		source_index_family(t, s);
	source_redefine(t, s);
	return 0;
}

void source_set_file(struct source_table *t, struct source *s, uint64_t ino, int64_t btime_ns,
		     dev_t dev)
{
	if (s->ino == ino && s->btime_ns == btime_ns && s->dev == dev)
		return;
	source_unindex_ino(t, s);
	s->ino = ino;
	s->btime_ns = btime_ns;
	s->dev = dev;
	source_index_ino(t, s);
	source_redefine(t, s);
}

/* What the registry writes once has changed. */
void source_redefine(struct source_table *t, struct source *s)
{
	s->known = false;
	source_touch(t, s);
}

/* --- who is to be looked at --- */

void source_set_ready(struct source_table *t, struct source *s)
{
	if (source_may_be_read(s) && !list_linked(&s->ready))
		list_add_last(&t->ready, &s->ready);
}

struct source *source_next_ready(struct source_table *t)
{
	for (struct list_node *n; (n = list_take_first(&t->ready)) != NULL;) {
		struct source *s = LIST_ENTRY(n, struct source, ready);
		if (source_may_be_read(s))
			return s;
	}
	return NULL;
}

bool source_any_ready(const struct source_table *t)
{
	return !list_empty(&t->ready);
}

void source_touch(struct source_table *t, struct source *s)
{
	if (s->touched)
		return;
	s->touched = true;
	s->next_touched = t->touched;
	t->touched = s;
}

struct source *source_next_touched(struct source_table *t)
{
	struct source *s = t->touched;
	if (s) {
		t->touched = s->next_touched;
		s->next_touched = NULL;
		s->touched = false;
	}
	return s;
}

bool source_any_touched(const struct source_table *t)
{
	return t->touched != NULL;
}

void source_notice(struct source_table *t, struct source *s)
{
	if (!list_linked(&s->noticed))
		list_add_last(&t->noticed, &s->noticed);
}

struct source *source_next_noticed(struct source_table *t)
{
	struct list_node *n = list_take_first(&t->noticed);
	return n ? LIST_ENTRY(n, struct source, noticed) : NULL;
}

bool source_any_noticed(const struct source_table *t)
{
	return !list_empty(&t->noticed);
}

void source_stir(struct source_table *t, struct source *s)
{
	if (!list_linked(&s->stirred))
		list_add_last(&t->stirred, &s->stirred);
}

struct source *source_next_stirred(struct source_table *t)
{
	struct list_node *n = list_take_first(&t->stirred);
	return n ? LIST_ENTRY(n, struct source, stirred) : NULL;
}

/* --- the collector's word --- */

#define RATE_OVER_NS (10 * INT64_C(1000000000))

static void count_rate(struct source *s, uint64_t bytes)
{
	int64_t now_ns = clock_mono_ns(), passed_ns = now_ns - s->rate_ns;
	if (s->rate_ns && passed_ns > 0) {
		double rate = (double)bytes * 1e9 / (double)passed_ns;
		double weight = (double)passed_ns / (double)(passed_ns + RATE_OVER_NS);
		s->rate += (rate - s->rate) * weight;
	}
	s->rate_ns = now_ns;
}

void source_commit(struct source_table *t, struct source *s, const struct position *to)
{
	assert(to->offset >= s->committed.offset);
	s->born = true;
	count_rate(s, to->offset - s->committed.offset);
	if (to->offset > s->cursor.offset)
		source_place(t, s, to);
	s->committed = *to;
	if (to->offset >= s->size)
		s->behind_since_ns = 0;
	if (s->journal)
		stream_committed(s->journal, to->offset);
	else
		ladder_add(&s->ladder, to->base, to->offset, to->crc);
	source_touch(t, s);
	switch (s->state) {
	case SOURCE_ROTATED:
	case SOURCE_UNLINKED:
		/* It may be what kept it from being let go. */
		if (to->offset == s->cursor.offset)
			source_notice(t, s);
		break;
	case SOURCE_NEW:
	case SOURCE_STRAY:
	case SOURCE_COPY:
	case SOURCE_MISSING:
	case SOURCE_FOLLOWING:
	case SOURCE_DRAINED:
	case SOURCE_ENDING:
	case SOURCE_ENDED: break;
	}
}

int source_rewind(struct source_table *t, struct source *s, struct span raw)
{
	uint64_t back = s->cursor.offset - s->committed.offset;
	bool whole = raw.len == back;
	struct buf replay = BUF_EMPTY;
	assert(raw.len <= back);
	if (whole && back == 0)
		return 0;
	if (raw.len || whole) {
		int r = buf_add_span(&replay, raw);
		if (r == 0 && whole)
			r = buf_add_span(&replay, buf_span(&s->replay));
		if (r < 0) {
			buf_free(&replay);
			return r;
		}
	}
	buf_free(&s->replay);
	s->replay = replay;
	if (!whole) {
		/* Behind a hole or a loss the file is read again, from where its tail is not known. */
		s->tail_at = s->committed.offset + raw.len;
		s->tail_known = s->tail_at == 0;
		s->tail_hash = CRC64_EMPTY;
		if (s->cut) {
			/* Which it cannot be any more. */
			if (s->lost_to == s->lost_from)
				s->lost_to = s->cursor.offset;
			s->lost_from = s->tail_at;
			s->lost_cause = s->cut_cause ? s->cut_cause : "truncated";
		}
	}
	s->cursor = s->committed;
	source_set_ready(t, s);
	return 0;
}

void source_place(struct source_table *t, struct source *s, const struct position *at)
{
	uint64_t skip = at->offset - s->cursor.offset;
	if (at->offset >= s->cursor.offset && at->offset <= s->tail_at &&
	    s->tail_at - s->cursor.offset == s->replay.len) {
		buf_consume(&s->replay, (size_t)skip);
	} else {
		buf_free(&s->replay);
		s->tail_at = at->offset;
		s->tail_known = at->offset == 0;
	}
	s->committed = s->cursor = *at;
	if (!s->journal)
		ladder_add(&s->ladder, at->base, at->offset, at->crc);
	source_touch(t, s);
}
