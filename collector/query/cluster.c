/* Clustering of templates: see cluster.h. Called by patterns with what its tallies have.
 *
 * Three steps, on words parted by blanks (a level before a TAB is never touched):
 *
 *  1. A place where CLUSTER_WORDS or more different words stand, all else being equal, varies: "user anna logged
 *     in", "user ben logged in" ... are "user <*> logged in", while "connection opened" and "connection closed"
 *     stay two. Repeated, for templates may vary in several places.
 *  2. What a more general template covers becomes its: "user carl logged in", once there is the one above.
 *  3. Where several places vary freely no two templates are the same otherwise. Then, as Drain does, templates
 *     of the same length and first word are put together when half of their words are equal; only where there
 *     are so many of them that they cannot all be different messages. */
#include "collector/query/cluster.h"

#include "collector/query/template.h"
#include "common/map.h"

#include <errno.h>
#include <stdlib.h>

enum {
	WORDS_MAX = 64, /* of a template; what is beyond is one word */
	ROUNDS_MAX = 8,
	CROWD = 64, /* templates of one length and first word: step 3 */
};

struct words {
	struct span level; /* with its TAB; empty when there is none */
	struct span items[WORDS_MAX];
	size_t n;
};

static void split(struct span text, struct words *ret)
{
	size_t tab = span_find(text, '\t');
	ret->level = tab < text.len ? span_first(text, tab + 1) : span_make(text.ptr, 0);
	text = span_from(text, ret->level.len);
	for (ret->n = 0; ret->n < WORDS_MAX; ret->n++) {
		size_t len = ret->n + 1 < WORDS_MAX ? span_find(text, ' ') : text.len;
		ret->items[ret->n] = span_first(text, len);
		if (len == text.len) {
			ret->n++;
			return;
		}
		text = span_from(text, len + 1);
	}
}

static bool is_any(struct span word)
{
	return span_is(word, TEMPLATE_ANY);
}

/* A word that says something: letters outside of placeholders. */
static bool is_telling(struct span word)
{
	bool inside = false;
	for (size_t i = 0; i < word.len; i++) {
		char c = word.ptr[i];
		if (c == '<')
			inside = true;
		else if (c == '>')
			inside = false;
		else if (!inside && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
				     (unsigned char)c >= 0x80))
			return true;
	}
	return false;
}

/* Would something be left that tells what the message is about? */
static bool may_vary(const struct words *w, size_t place)
{
	for (size_t i = 0; i < w->n; i++)
		if (i != place && is_telling(w->items[i]))
			return true;
	return false;
}

/* --- putting equal ones together --- */

static int compare_text(const void *a, const void *b)
{
	return record_compare_bytes(buf_span(&((const struct leader *)a)->text),
				    buf_span(&((const struct leader *)b)->text));
}

static int compare_count(const void *a, const void *b)
{
	const struct leader *x = a, *y = b;
	if (x->value.count != y->value.count)
		return x->value.count < y->value.count ? 1 : -1;
	return compare_text(a, b);
}

static void add_up(struct tally_value *to, const struct tally_value *more)
{
	to->count += more->count;
	if (more->first_us < to->first_us)
		to->first_us = more->first_us;
	if (more->last_us > to->last_us)
		to->last_us = more->last_us;
}

static void unite_equal(struct leaders *l)
{
	size_t n = 0;
	if (l->n == 0)
		return;
	qsort(l->items, l->n, sizeof(*l->items), compare_text);
	for (size_t i = 0; i < l->n; i++) {
		if (n && compare_text(&l->items[n - 1], &l->items[i]) == 0) {
			add_up(&l->items[n - 1].value, &l->items[i].value);
			continue;
		}
		struct leader kept = l->items[n];
		l->items[n] = l->items[i];
		l->items[i] = kept;
		n++;
	}
	l->n = n;
}

/* Writes the words as the leader's text again. */
static int join(struct leader *leader, const struct words *w)
{
	struct buf text = BUF_EMPTY;
	int r = buf_add_span(&text, w->level);
	for (size_t i = 0; r == 0 && i < w->n; i++) {
		if (i)
			r = buf_add_char(&text, ' ');
		if (r == 0)
			r = buf_add_span(&text, w->items[i]);
	}
	if (r < 0) {
		buf_free(&text);
		return r;
	}
	buf_free(&leader->text);
	leader->text = text;
	return 0;
}

/* --- step 1 --- */

/* How many templates are the same but for one place. Kept by a hash of all but that place: two that
 * collide are one chance in 2^64 for each pair. */
struct group {
	uint64_t hash;
	uint64_t templates;
};

struct groups {
	struct group *slots;
	size_t n_slots;
};

static uint64_t mix(uint64_t h, struct span s)
{
	h = (h ^ s.len) * UINT64_C(0x9e3779b97f4a7c15);
	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (uint8_t)s.ptr[i]) * UINT64_C(0x100000001b3);
	return h ^ h >> 31;
}

static uint64_t hash_but(const struct words *w, size_t place)
{
	uint64_t h = mix(place * 1000 + w->n, w->level);
	for (size_t i = 0; i < w->n; i++)
		h = mix(h, i == place ? span_make("", 0) : w->items[i]);
	return h ? h : 1;
}

static struct group *group_of(const struct groups *g, uint64_t hash)
{
	size_t i = (size_t)(hash * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (g->n_slots - 1);
	while (g->slots[i].hash && g->slots[i].hash != hash)
		i = (i + 1) & (g->n_slots - 1);
	return &g->slots[i];
}

static int count_groups(const struct leaders *l, struct groups *g)
{
	size_t places = 0;
	struct words w;
	for (size_t i = 0; i < l->n; i++) {
		split(buf_span(&l->items[i].text), &w);
		places += w.n;
	}
	for (g->n_slots = 64; g->n_slots < 2 * places;)
		g->n_slots *= 2;
	g->slots = calloc(g->n_slots, sizeof(*g->slots));
	if (!g->slots)
		return -ENOMEM;
	for (size_t i = 0; i < l->n; i++) {
		split(buf_span(&l->items[i].text), &w);
		for (size_t place = 0; place < w.n; place++) {
			struct group *group = group_of(g, hash_but(&w, place));
			group->hash = hash_but(&w, place);
			group->templates++;
		}
	}
	return 0;
}

/* The place of this template that varies most. 1: it was given up to a placeholder. */
static int vary(struct leader *leader, const struct groups *g)
{
	struct words w;
	uint64_t most = CLUSTER_WORDS - 1;
	size_t best = WORDS_MAX;
	split(buf_span(&leader->text), &w);
	for (size_t place = 0; place < w.n; place++) {
		uint64_t templates = group_of(g, hash_but(&w, place))->templates;
		if (templates <= most || is_any(w.items[place]) || !may_vary(&w, place))
			continue;
		most = templates;
		best = place;
	}
	if (best == WORDS_MAX)
		return 0;
	w.items[best] = span_of(TEMPLATE_ANY);
	int r = join(leader, &w);
	return r < 0 ? r : 1;
}

static int vary_all(struct leaders *l, bool *ret_any)
{
	struct groups g;
	int r = count_groups(l, &g);
	*ret_any = false;
	for (size_t i = 0; r >= 0 && i < l->n; i++) {
		r = vary(&l->items[i], &g);
		*ret_any = *ret_any || r > 0;
	}
	free(g.slots);
	unite_equal(l);
	return r < 0 ? r : 0;
}

/* --- step 2 --- */

/* Same level and length. */
static bool same_shape(const struct words *a, const struct words *b)
{
	return a->n == b->n && span_equal(a->level, b->level);
}

/* Is b what a says, with words in a's placeholders? */
static bool covers(const struct words *a, const struct words *b)
{
	for (size_t i = 0; i < a->n; i++)
		if (!is_any(a->items[i]) && !span_equal(a->items[i], b->items[i]))
			return false;
	return true;
}

static bool has_any(const struct words *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (is_any(w->items[i]))
			return true;
	return false;
}

static int compare_shape(const void *a, const void *b)
{
	struct words x, y;
	split(buf_span(&((const struct leader *)a)->text), &x);
	split(buf_span(&((const struct leader *)b)->text), &y);
	int r = record_compare_bytes(x.level, y.level);
	if (r == 0)
		r = (x.n > y.n) - (x.n < y.n);
	return r ? r : compare_count(a, b);
}

/* Takes out what was put into another. */
static void drop_empty(struct leaders *l)
{
	size_t n = 0;
	for (size_t i = 0; i < l->n; i++) {
		if (l->items[i].value.count == 0)
			continue;
		struct leader empty = l->items[n];
		l->items[n] = l->items[i];
		l->items[i] = empty;
		n++;
	}
	l->n = n;
}

/* Templates that a more general one covers become its. */
static void absorb(struct leaders *l)
{
	struct words general, w;
	if (l->n == 0)
		return;
	qsort(l->items, l->n, sizeof(*l->items), compare_shape);
	for (size_t i = 0; i < l->n; i++) {
		split(buf_span(&l->items[i].text), &general);
		if (l->items[i].value.count == 0 || !has_any(&general))
			continue;
		size_t from = i;
		for (; from > 0; from--) {
			split(buf_span(&l->items[from - 1].text), &w);
			if (!same_shape(&general, &w))
				break;
		}
		for (size_t k = from; k < l->n; k++) {
			split(buf_span(&l->items[k].text), &w);
			if (!same_shape(&general, &w))
				break;
			if (k == i || l->items[k].value.count == 0 || !covers(&general, &w))
				continue;
			add_up(&l->items[i].value, &l->items[k].value);
			l->items[k].value.count = 0;
		}
	}
	drop_empty(l);
}

/* --- step 3 --- */

/* Same level, length and first word. */
static bool same_crowd(const struct words *a, const struct words *b)
{
	return a->n == b->n && span_equal(a->level, b->level) &&
	       span_equal(a->items[0], b->items[0]);
}

static bool are_alike(const struct words *a, const struct words *b)
{
	size_t equal = 0, telling = 0;
	for (size_t i = 0; i < a->n; i++) {
		bool same = span_equal(a->items[i], b->items[i]);
		equal += same || is_any(a->items[i]);
		telling += same && is_telling(a->items[i]);
	}
	return 2 * equal >= a->n && telling > 0;
}

/* Puts the crowd [from, to), in order of counts, into as few as are alike. */
static int unite_crowd(struct leaders *l, size_t from, size_t to)
{
	struct words kept, w;
	size_t n = from;
	for (size_t i = from; i < to; i++) {
		size_t into = from;
		bool found = false;
		split(buf_span(&l->items[i].text), &w);
		for (; into < n && !found; into++) {
			split(buf_span(&l->items[into].text), &kept);
			found = are_alike(&kept, &w);
		}
		if (!found) {
			struct leader free_one = l->items[n];
			l->items[n] = l->items[i];
			l->items[i] = free_one;
			n++;
			continue;
		}
		into--;
		for (size_t k = 0; k < w.n; k++)
			if (!span_equal(kept.items[k], w.items[k]))
				kept.items[k] = span_of(TEMPLATE_ANY);
		int r = join(&l->items[into], &kept);
		if (r < 0)
			return r;
		add_up(&l->items[into].value, &l->items[i].value);
		l->items[i].value.count = 0;
	}
	for (size_t i = n; i < to; i++)
		l->items[i].value.count = 0;
	return 0;
}

static int compare_crowd(const void *a, const void *b)
{
	struct words x, y;
	split(buf_span(&((const struct leader *)a)->text), &x);
	split(buf_span(&((const struct leader *)b)->text), &y);
	int r = record_compare_bytes(x.level, y.level);
	if (r == 0)
		r = (x.n > y.n) - (x.n < y.n);
	if (r == 0)
		r = record_compare_bytes(x.items[0], y.items[0]);
	return r ? r : compare_count(a, b);
}

static int unite_crowds(struct leaders *l)
{
	int r = 0;
	if (l->n == 0)
		return 0;
	qsort(l->items, l->n, sizeof(*l->items), compare_crowd);
	for (size_t from = 0, to; r == 0 && from < l->n; from = to) {
		struct words first, w;
		split(buf_span(&l->items[from].text), &first);
		for (to = from + 1; to < l->n; to++) {
			split(buf_span(&l->items[to].text), &w);
			if (!same_crowd(&first, &w))
				break;
		}
		if (to - from >= CROWD && first.n > 2)
			r = unite_crowd(l, from, to);
	}
	drop_empty(l);
	unite_equal(l);
	return r;
}

int cluster_leaders(struct leaders *l)
{
	bool any = true;
	int r = 0;
	unite_equal(l);
	for (unsigned round = 0; r == 0 && any && round < ROUNDS_MAX; round++)
		r = vary_all(l, &any);
	absorb(l);
	if (r == 0)
		r = unite_crowds(l);
	absorb(l);
	if (r == 0 && l->n)
		qsort(l->items, l->n, sizeof(*l->items), compare_count);
	return r;
}
