/* The window: see window.h. Entries stand one behind the other in blocks, so that neither reading
 * nor acknowledging takes an allocation for each. A block is given back with its last entry; one
 * that holds a single long entry is as long as that.
 *
 * Invariants: `bytes` is what all entries take; the first block has the oldest entry at `head`,
 * unless there is none. */
#include "agent/journal/window.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>

enum { BLOCK_BYTES = 64 * 1024 };

struct window_block {
	struct window_block *next;
	size_t used, size;
	alignas(max_align_t) char bytes[];
};

static size_t entry_size(size_t len)
{
	size_t align = alignof(struct journal_entry);
	return (sizeof(struct journal_entry) + len + align - 1) / align * align;
}

static struct window_block *room_for(struct window *w, size_t size)
{
	struct window_block *b = w->last;
	if (b && b->size - b->used >= size)
		return b;
	size_t wanted = size > BLOCK_BYTES ? size : BLOCK_BYTES;
	b = malloc(sizeof(*b) + wanted);
	if (!b)
		return NULL;
	b->next = NULL;
	b->used = 0;
	b->size = wanted;
	if (w->last)
		w->last->next = b;
	else
		w->first = b;
	w->last = b;
	return b;
}

int window_add(struct window *w, struct span message, struct journal_entry **ret)
{
	size_t size = entry_size(message.len);
	struct window_block *b = room_for(w, size);
	if (!b)
		return -ENOMEM;
	struct journal_entry *e = (struct journal_entry *)(void *)(b->bytes + b->used);
	*e = (struct journal_entry){.len = message.len};
	if (message.len)
		memcpy(e->text, message.ptr, message.len);
	b->used += size;
	w->bytes += size;
	*ret = e;
	return 0;
}

static void drop_first_block(struct window *w)
{
	struct window_block *b = w->first;
	w->first = b->next;
	if (!w->first)
		w->last = NULL;
	w->head = 0;
	free(b);
}

void window_trim(struct window *w)
{
	while (w->first) {
		if (w->head == w->first->used) {
			drop_first_block(w);
			continue;
		}
		const struct journal_entry *e =
			(const struct journal_entry *)(void *)(w->first->bytes + w->head);
		if (!e->done)
			return;
		w->upto = e->point;
		w->bytes -= entry_size(e->len);
		w->head += entry_size(e->len);
	}
}

void window_clear(struct window *w)
{
	while (w->first)
		drop_first_block(w);
	w->bytes = 0;
}
