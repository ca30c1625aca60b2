/* Streams by id: see stream_set.h. Called by streams.c.
 *
 * A treap: a search tree by id that is a heap by priority. With random priorities it is, whatever
 * is added and removed in whatever order, a tree as if all had come in random order: some 25 steps
 * deep with 100,000 streams. */
#include "collector/store/stream_set.h"

#include "collector/store/stream.h"

#include <assert.h>

static bool before(const struct stream_id *a, const struct stream_id *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) < 0;
}

/* Parts a tree in those before the id and the others. */
static void split(struct stream *tree, const struct stream_id *id, struct stream **left,
		  struct stream **right)
{
	while (tree) {
		if (before(&tree->id, id)) {
			*left = tree;
			left = &tree->node.right;
			tree = tree->node.right;
		} else {
			*right = tree;
			right = &tree->node.left;
			tree = tree->node.left;
		}
	}
	*left = *right = NULL;
}

/* All of `left` is before all of `right`. */
static void join(struct stream *left, struct stream *right, struct stream **ret)
{
	while (left && right) {
		if (left->node.priority >= right->node.priority) {
			*ret = left;
			ret = &left->node.right;
			left = left->node.right;
		} else {
			*ret = right;
			ret = &right->node.left;
			right = right->node.left;
		}
	}
	*ret = left ? left : right;
}

void stream_set_add(struct stream_set *set, struct stream *s)
{
	struct stream **at = &set->root;
	while (*at && (*at)->node.priority >= s->node.priority) {
		assert(!stream_id_equal(&(*at)->id, &s->id));
		at = before(&(*at)->id, &s->id) ? &(*at)->node.right : &(*at)->node.left;
	}
	split(*at, &s->id, &s->node.left, &s->node.right);
	*at = s;
	set->n++;
}

void stream_set_remove(struct stream_set *set, struct stream *s)
{
	struct stream **at = &set->root;
	while (*at != s) {
		assert(*at);
		at = before(&(*at)->id, &s->id) ? &(*at)->node.right : &(*at)->node.left;
	}
	join(s->node.left, s->node.right, at);
	s->node.left = s->node.right = NULL;
	set->n--;
}

struct stream *stream_set_after(const struct stream_set *set, const struct stream_id *id)
{
	struct stream *found = NULL, *at = set->root;
	while (at) {
		if (!id || before(id, &at->id)) {
			found = at;
			at = at->node.left;
		} else {
			at = at->node.right;
		}
	}
	return found;
}
