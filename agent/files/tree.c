/* Directories and names: see tree.h. Two indexes for directories (by path, by watch descriptor) and
 * one for names (by directory and text), so that an event costs two look-ups. */
#include "agent/files/tree.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

struct name_key {
	const struct dir *dir;
	const char *text;
};

static bool path_is(const void *entry, const void *key)
{
	const struct dir *d = entry;
	return strcmp(d->path, key) == 0;
}

static bool wd_is(const void *entry, const void *key)
{
	const struct dir *d = entry;
	return d->wd == *(const int *)key;
}

static bool name_is(const void *entry, const void *key)
{
	const struct name *n = entry;
	const struct name_key *k = key;
	return n->dir == k->dir && strcmp(n->text, k->text) == 0;
}

void tree_init(struct tree *t)
{
	*t = (struct tree){0};
	list_init(&t->dirs);
	map_init(&t->by_path, path_is);
	map_init(&t->by_wd, wd_is);
	map_init(&t->names, name_is);
}

void tree_free(struct tree *t)
{
	struct list_node *next;
	for (struct list_node *n = list_first(&t->dirs); n; n = next) {
		next = list_next(&t->dirs, n);
		tree_drop_dir(t, LIST_ENTRY(n, struct dir, node));
	}
	map_free(&t->by_path);
	map_free(&t->by_wd);
	map_free(&t->names);
}

/* --- directories --- */

static uint64_t hash_path(const struct tree *t, const char *path)
{
	return map_hash(&t->by_path, span_of(path));
}

struct dir *tree_dir(const struct tree *t, const char *path)
{
	return map_find(&t->by_path, hash_path(t, path), path);
}

int tree_add_dir(struct tree *t, const char *path, struct dir **ret)
{
	struct dir *d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->path = strdup(path);
	d->wd = -1;
	/* Room in the index by descriptor too, so that tree_set_wd does not fail. */
	int r = d->path ? map_reserve(&t->by_wd, t->n_dirs + 1 - t->by_wd.count) : -ENOMEM;
	if (r == 0)
		r = map_add(&t->by_path, hash_path(t, path), d);
	if (r < 0) {
		free(d->path);
		free(d);
		return r;
	}
	list_init(&d->names);
	list_add_last(&t->dirs, &d->node);
	t->n_dirs++;
	*ret = d;
	return 0;
}

void tree_orphan(struct tree *t, struct dir *d)
{
	if (d->orphan)
		return;
	(void)map_remove(&t->by_path, hash_path(t, d->path), d->path);
	d->orphan = true;
}

int tree_adopt(struct tree *t, struct dir *d, const char *path)
{
	assert(d->orphan && !tree_dir(t, path));
	char *copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	int r = map_add(&t->by_path, hash_path(t, path), d);
	if (r < 0) {
		free(copy);
		return r;
	}
	free(d->path);
	d->path = copy;
	d->orphan = false;
	return 0;
}

void tree_drop_dir(struct tree *t, struct dir *d)
{
	struct list_node *next;
	for (struct list_node *n = list_first(&d->names); n; n = next) {
		next = list_next(&d->names, n);
		tree_drop_name(t, LIST_ENTRY(n, struct name, node));
	}
	tree_set_wd(t, d, -1);
	tree_set_polled(t, d, false);
	tree_orphan(t, d);
	list_remove(&d->node);
	t->n_dirs--;
	t->dropped++;
	free(d->path);
	free(d);
}

struct dir *tree_by_wd(const struct tree *t, int wd)
{
	return map_find(&t->by_wd, (uint64_t)wd, &wd);
}

static void add_wd(struct tree *t, struct dir *d)
{
	int r = map_add(&t->by_wd, (uint64_t)d->wd, d);
	assert(r == 0); /* tree_add_dir has made room */
}

void tree_set_wd(struct tree *t, struct dir *d, int wd)
{
	if (d->wd == wd)
		return;
	if (d->wd >= 0) {
		struct dir *head = map_remove(&t->by_wd, (uint64_t)d->wd, &d->wd);
		if (head == d) {
			if (d->same_wd)
				add_wd(t, d->same_wd);
		} else if (head) {
			add_wd(t, head);
			while (head->same_wd != d)
				head = head->same_wd;
			head->same_wd = d->same_wd;
		}
	}
	d->wd = wd;
	d->same_wd = NULL;
	if (wd >= 0) {
		d->same_wd = map_remove(&t->by_wd, (uint64_t)wd, &wd);
		add_wd(t, d);
	}
}

void tree_set_polled(struct tree *t, struct dir *d, bool polled)
{
	if (d->polled == polled)
		return;
	d->polled = polled;
	t->n_polled += polled ? 1 : (size_t)-1;
}

/* --- names --- */

static uint64_t hash_name(const struct tree *t, const struct dir *d, const char *text)
{
	return map_hash(&t->names, span_of(text)) ^ (uint64_t)(uintptr_t)d;
}

struct name *tree_name(const struct tree *t, const struct dir *d, const char *text)
{
	struct name_key key = {d, text};
	return map_find(&t->names, hash_name(t, d, text), &key);
}

int tree_add_name(struct tree *t, struct dir *d, const char *text, struct name **ret)
{
	size_t size = strlen(text) + 1;
	struct name *n = calloc(1, offsetof(struct name, text) + size);
	if (!n)
		return -ENOMEM;
	memcpy(n->text, text, size);
	n->dir = d;
	int r = map_add(&t->names, hash_name(t, d, text), n);
	if (r < 0) {
		free(n);
		return r;
	}
	list_add_last(&d->names, &n->node);
	*ret = n;
	return 0;
}

void tree_drop_name(struct tree *t, struct name *n)
{
	struct name_key key = {n->dir, n->text};
	(void)map_remove(&t->names, hash_name(t, n->dir, n->text), &key);
	list_remove(&n->node);
	free(n->via);
	free(n);
}
