/* Intrusive doubly linked lists: the node stands in the struct that is listed, so linking and
 * unlinking take no memory and cannot fail. The list owns nothing. A node is on one list at most;
 * which list it is on is often an object's state.
 *
 *     for (struct list_node *n = list_first(&l); n; n = list_next(&l, n)) {
 *             struct source *s = LIST_ENTRY(n, struct source, ready);
 *
 * To remove while walking, take list_next before list_remove. A zeroed node is on no list; a list
 * is made by list_init and does not move in memory while anything is on it. */
#ifndef HAUL_COMMON_LIST_H
#define HAUL_COMMON_LIST_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

struct list_node {
	struct list_node *prev, *next; /* both NULL: on no list */
};

struct list {
	struct list_node head; /* of a ring: head.next is the first, head.prev the last */
};

/* The struct of type `type` whose member `member` the node is. */
#define LIST_ENTRY(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void list_init(struct list *l)
{
	l->head.prev = l->head.next = &l->head;
}

static inline bool list_empty(const struct list *l)
{
	return l->head.next == &l->head;
}

/* Is the node on a list? */
static inline bool list_linked(const struct list_node *n)
{
	return n->next != NULL;
}

static inline void list_insert_after(struct list_node *before, struct list_node *n)
{
	assert(!list_linked(n));
	n->prev = before;
	n->next = before->next;
	before->next->prev = n;
	before->next = n;
}

static inline void list_add_first(struct list *l, struct list_node *n)
{
	list_insert_after(&l->head, n);
}

static inline void list_add_last(struct list *l, struct list_node *n)
{
	list_insert_after(l->head.prev, n);
}

/* Fine on a node that is on no list. */
static inline void list_remove(struct list_node *n)
{
	if (!list_linked(n))
		return;
	n->prev->next = n->next;
	n->next->prev = n->prev;
	n->prev = n->next = NULL;
}

/* NULL at the end, and of an empty list. */
static inline struct list_node *list_first(const struct list *l)
{
	return list_empty(l) ? NULL : l->head.next;
}

static inline struct list_node *list_last(const struct list *l)
{
	return list_empty(l) ? NULL : l->head.prev;
}

static inline struct list_node *list_next(const struct list *l, const struct list_node *n)
{
	return n->next == &l->head ? NULL : n->next;
}

static inline struct list_node *list_prev(const struct list *l, const struct list_node *n)
{
	return n->prev == &l->head ? NULL : n->prev;
}

/* Takes the first node off; NULL when there is none. */
static inline struct list_node *list_take_first(struct list *l)
{
	struct list_node *n = list_first(l);
	if (n)
		list_remove(n);
	return n;
}

#endif
