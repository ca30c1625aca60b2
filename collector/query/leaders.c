/* The greatest so many: see leaders.h. A heap whose top is the one to be given up next. Used by top
 * and patterns. */
#include "collector/query/leaders.h"

#include <errno.h>
#include <stdlib.h>

int leaders_init(struct leaders *l, size_t max)
{
	*l = (struct leaders){.max = max, .items = calloc(max, sizeof(*l->items))};
	return l->items ? 0 : -ENOMEM;
}

void leaders_free(struct leaders *l)
{
	for (size_t i = 0; l->items && i < l->max; i++)
		buf_free(&l->items[i].text);
	free(l->items);
	*l = (struct leaders){.items = NULL};
}

static bool is_less(const struct leader *a, const struct leader *b)
{
	if (a->value.count != b->value.count)
		return a->value.count < b->value.count;
	return record_compare_bytes(buf_span(&a->text), buf_span(&b->text)) > 0;
}

static void swap(struct leader *a, struct leader *b)
{
	struct leader c = *a;
	*a = *b;
	*b = c;
}

static void sift_down(struct leaders *l, size_t at, size_t n)
{
	for (;;) {
		size_t least = at;
		for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < n; child++)
			if (is_less(&l->items[child], &l->items[least]))
				least = child;
		if (least == at)
			return;
		swap(&l->items[at], &l->items[least]);
		at = least;
	}
}

static void sift_up(struct leaders *l, size_t at)
{
	for (; at && is_less(&l->items[at], &l->items[(at - 1) / 2]); at = (at - 1) / 2)
		swap(&l->items[at], &l->items[(at - 1) / 2]);
}

static int set(struct leader *leader, struct span text, const struct tally_value *value)
{
	leader->value = *value;
	buf_clear(&leader->text);
	return buf_add_span(&leader->text, text);
}

int leaders_offer(struct leaders *l, struct span text, const struct tally_value *value)
{
	int r;
	if (l->n < l->max) {
		r = set(&l->items[l->n], text, value);
		if (r == 0)
			sift_up(l, l->n++);
		return r;
	}
	if (value->count <= l->items[0].value.count)
		return 0;
	r = set(&l->items[0], text, value);
	if (r == 0)
		sift_down(l, 0, l->n);
	return r;
}

void leaders_sort(struct leaders *l)
{
	/* The least goes to the end, again and again. */
	for (size_t n = l->n; n > 1; n--) {
		swap(&l->items[0], &l->items[n - 1]);
		sift_down(l, 0, n - 1);
	}
}
