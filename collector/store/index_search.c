/* A question to the index: see index.h. Each file is searched once a question, when a day it covers
 * comes up; what was found is then laid out by segment in a hash table for the day. Counts are read
 * from the parts that it leads to. */
#include "collector/store/index_inside.h"

#include "common/map.h"

#include <errno.h>
#include <stdlib.h>

/* --- a question --- */

enum { KEY_MAX = 2 * NAME_MAX_LEN + 16 };

/* A segment of the day. */
struct entry {
	const struct part_segment *segment;
	const struct index_file *file;
	uint32_t at;                 /* which of the file's segments */
	const struct slab_hit *hits; /* of its first part, or all of them */
	size_t n;
	uint32_t covered;   /* blocks of which the index knows */
	struct entry *more; /* further parts of the segment */
	struct slab_hit *gathered;
};

struct found {
	struct slab_hits hits;
	bool searched, usable;
};

struct index_search {
	struct index *index;
	const struct slab_query *query;
	struct found *found; /* one a file */
	struct map by_name;
	struct entry *entries;
	size_t n_entries;
};

static bool same_segment(const void *entry, const void *key)
{
	const struct part_segment *a = ((const struct entry *)entry)->segment, *b = key;
	return a->number == b->number && a->form == b->form && a->size == b->size &&
	       span_equal(a->host, b->host) && span_equal(a->service, b->service);
}

static uint64_t hash_segment(const struct map *m, const struct part_segment *s)
{
	char key[KEY_MAX];
	size_t len = 0;
	memcpy(key, &s->size, sizeof(s->size));
	len += sizeof(s->size);
	memcpy(key + len, &s->number, sizeof(s->number));
	len += sizeof(s->number);
	memcpy(key + len, s->service.ptr, s->service.len);
	len += s->service.len;
	key[len++] = '/';
	memcpy(key + len, s->host.ptr, s->host.len);
	return map_hash(m, span_make(key, len + s->host.len));
}

struct index_search *index_search_new(struct index *x, const struct slab_query *query)
{
	struct index_search *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->index = x;
	s->query = query;
	map_init(&s->by_name, same_segment);
	s->found = calloc(x->n + 1, sizeof(*s->found));
	if (s->found)
		return s;
	index_search_free(s);
	return NULL;
}

static void clear_day(struct index_search *s)
{
	for (size_t i = 0; i < s->n_entries; i++)
		free(s->entries[i].gathered);
	free(s->entries);
	s->entries = NULL;
	s->n_entries = 0;
	map_free(&s->by_name);
}

void index_search_free(struct index_search *s)
{
	if (!s)
		return;
	clear_day(s);
	for (size_t i = 0; s->found && i < s->index->n; i++)
		slab_hits_free(&s->found[i].hits);
	free(s->found);
	free(s);
}

static int search_parts(const struct index_file *f, const struct slab_query *q,
			struct slab_hits *ret)
{
	int r = 0;
	for (size_t i = 0; i < f->n_parts; i++) {
		const struct part *p = &f->parts[i];
		for (uint32_t k = 0; k < p->segment.n_blocks && r == 0; k++) {
			const struct part_block *b = &p->blocks[k];
			if (slab_asks_block(q, b))
				r = slab_hits_add(
					ret, (struct slab_hit){.segment = (uint32_t)i,
							       .length = b->length,
							       .offset = b->offset,
							       .plain_length = b->plain_length,
							       .block = p->segment.first_block + k,
							       .first_us = b->first_us});
		}
	}
	return r;
}

static int search_file(struct index_search *s, size_t i)
{
	struct index_file *f = &s->index->files[i];
	struct found *found = &s->found[i];
	if (found->searched)
		return 0;
	int r = f->slab ? slab_search(f->slab, s->query, &found->hits)
			: search_parts(f, s->query, &found->hits);
	if (r == -ENOMEM)
		return r;
	found->searched = true;
	found->usable = r == 0;
	slab_hits_sort(&found->hits);
	return 0;
}

/* A further part; one that is there already says nothing new. */
static void chain(struct entry *first, struct entry *e)
{
	for (struct entry *p = first; p; p = p->more)
		if (p->segment->first_block == e->segment->first_block)
			return;
	first->covered += e->covered;
	e->more = first->more;
	first->more = e;
}

static int add_entry(struct index_search *s, const struct index_file *f, uint32_t at,
		     const struct slab_hit *hits, size_t n)
{
	struct entry *e = &s->entries[s->n_entries++];
	const struct part_segment *segment = index_file_segment(f, at);
	*e = (struct entry){.segment = segment,
			    .file = f,
			    .at = at,
			    .hits = hits,
			    .n = n,
			    .covered = segment->n_blocks};
	uint64_t hash = hash_segment(&s->by_name, segment);
	struct entry *first = map_find(&s->by_name, hash, segment);
	if (!first)
		return map_add(&s->by_name, hash, e);
	chain(first, e);
	return 0;
}

static int add_file_entries(struct index_search *s, size_t i, int32_t day)
{
	const struct index_file *f = &s->index->files[i];
	const struct slab_hits *hits = &s->found[i].hits;
	size_t at = 0;
	for (uint32_t k = 0; k < index_file_segments(f); k++) {
		size_t from = at;
		while (at < hits->n && hits->items[at].segment == k)
			at++;
		if (index_file_segment(f, k)->day != day)
			continue;
		int r = add_entry(s, f, k, hits->items + from, at - from);
		if (r < 0)
			return r;
	}
	return 0;
}

static int by_offset(const void *a, const void *b)
{
	const struct slab_hit *x = a, *y = b;
	return (x->offset > y->offset) - (x->offset < y->offset);
}

/* Lays the hits of all parts of a segment out one after another. */
static int gather(struct entry *first)
{
	size_t n = 0, at = 0;
	for (struct entry *e = first; e; e = e->more)
		n += e->n;
	struct slab_hit *all = calloc(n + 1, sizeof(*all));
	if (!all)
		return -ENOMEM;
	for (struct entry *e = first; e; e = e->more) {
		if (e->n)
			memcpy(all + at, e->hits, e->n * sizeof(*all));
		at += e->n;
	}
	qsort(all, n, sizeof(*all), by_offset);
	first->gathered = all;
	first->hits = all;
	first->n = n;
	return 0;
}

static bool covers_day(const struct index_search *s, size_t i, int32_t day)
{
	const struct index_file *f = &s->index->files[i];
	return index_file_segments(f) && day >= f->first_day && day <= f->last_day;
}

static int lay_out(struct index_search *s, int32_t day)
{
	size_t n = 0;
	int r = 0;
	for (size_t i = 0; i < s->index->n; i++) {
		if (!covers_day(s, i, day))
			continue;
		r = search_file(s, i);
		if (r < 0)
			return r;
		n += s->found[i].usable ? index_file_segments(&s->index->files[i]) : 0;
	}
	s->entries = calloc(n + 1, sizeof(*s->entries));
	r = s->entries ? map_reserve(&s->by_name, n) : -ENOMEM;
	for (size_t i = 0; i < s->index->n && r == 0; i++)
		if (covers_day(s, i, day) && s->found[i].usable)
			r = add_file_entries(s, i, day);
	for (size_t i = 0; i < s->n_entries && r == 0; i++)
		if (s->entries[i].more && s->entries[i].covered > s->entries[i].segment->n_blocks)
			r = gather(&s->entries[i]);
	return r;
}

int index_search_day(struct index_search *s, int32_t day)
{
	clear_day(s);
	int r = lay_out(s, day);
	if (r < 0)
		clear_day(s);
	return r;
}

/* NULL: not covered. */
static const struct entry *find_entry(const struct index_search *s, const struct segment_name *name,
				      uint64_t size)
{
	struct part_segment key = {.service = name->service,
				   .host = name->host,
				   .number = name->number,
				   .form = name->form,
				   .size = size};
	if (name->service.len > NAME_MAX_LEN || name->host.len > NAME_MAX_LEN || !s->n_entries)
		return NULL;
	const struct entry *e = map_find(&s->by_name, hash_segment(&s->by_name, &key), &key);
	return e && e->covered == e->segment->blocks ? e : NULL;
}

bool index_search_find(const struct index_search *s, const struct segment_name *name, uint64_t size,
		       struct index_blocks *ret)
{
	const struct entry *e = find_entry(s, name, size);
	if (e)
		*ret = (struct index_blocks){e->hits, e->n};
	return e;
}

/* --- counts --- */

bool index_counts_start(struct index_counts *c, const struct index_search *s,
			const struct segment_name *name, uint64_t size)
{
	c->entry = find_entry(s, name, size);
	c->reader.blocks_left = 0;
	return c->entry;
}

/* Turns to the next part. Of one that is damaged nothing is counted. */
static int turn_to_part(struct index_counts *c)
{
	const struct entry *e = c->entry;
	struct span bytes;
	int r = 0;
	c->entry = e->more;
	c->next = e->segment->first_block;
	if (e->file->slab) {
		r = slab_counts(e->file->slab, e->at, &c->bytes);
		bytes = buf_span(&c->bytes);
	} else {
		bytes = part_counts(&e->file->parts[e->at]);
	}
	if (r == 0)
		r = counts_open(bytes, e->segment->n_blocks, &c->reader);
	if (r < 0)
		c->reader.blocks_left = 0;
	return r == -ENOMEM ? r : 0;
}

int index_counts_next(struct index_counts *c)
{
	for (;;) {
		int r = counts_next(&c->reader, c->rows);
		if (r >= 0) {
			c->block = c->next++;
			if (r > 0)
				return r;
			continue;
		}
		if (!c->entry)
			return 0;
		r = turn_to_part(c);
		if (r < 0)
			return r;
	}
}

void index_counts_free(struct index_counts *c)
{
	buf_free(&c->bytes);
}

int index_search_all(struct index_search *s, uint64_t *ret_blocks, uint64_t *ret_bytes)
{
	uint64_t blocks = 0, bytes = 0;
	for (size_t i = 0; i < s->index->n; i++) {
		int r = search_file(s, i);
		if (r < 0)
			return r;
		blocks += s->found[i].hits.n;
		for (size_t k = 0; k < s->found[i].hits.n; k++)
			bytes += s->found[i].hits.items[k].length;
	}
	*ret_blocks = blocks;
	*ret_bytes = bytes;
	return 0;
}
