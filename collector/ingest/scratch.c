/* Buffers that are lent: see scratch.h. batches.c takes one for each body that it inflates. What
 * was given back last is lent first. Those that few bodies need are not kept, nor more than a
 * few. */
#include "collector/ingest/scratch.h"

#include <pthread.h>
#include <stdlib.h>

enum { KEPT_MAX = 8, KEPT_BYTES = 4 << 20 };

struct scratch {
	pthread_mutex_t lock; /* guards what follows */
	struct buf kept[KEPT_MAX];
	size_t n_kept;
};

struct scratch *scratch_new(void)
{
	struct scratch *s = calloc(1, sizeof(*s));
	if (s)
		(void)pthread_mutex_init(&s->lock, NULL);
	return s;
}

void scratch_free(struct scratch *s)
{
	if (!s)
		return;
	while (s->n_kept)
		buf_free(&s->kept[--s->n_kept]);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

int scratch_take(struct scratch *s, size_t bytes, struct buf *ret)
{
	struct buf b = BUF_EMPTY;
	(void)pthread_mutex_lock(&s->lock);
	if (s->n_kept)
		b = s->kept[--s->n_kept];
	(void)pthread_mutex_unlock(&s->lock);
	if (b.cap < bytes) /* growing would copy what nobody needs */
		buf_free(&b);
	b.len = 0;
	b.max = bytes <= KEPT_BYTES ? 0 : bytes; /* then exactly so much */
	int r = buf_reserve(&b, bytes);
	if (r < 0) {
		buf_free(&b);
		return r;
	}
	b.max = bytes;
	*ret = b;
	return 0;
}

void scratch_give(struct scratch *s, struct buf *b)
{
	(void)pthread_mutex_lock(&s->lock);
	if (b->cap && b->cap <= KEPT_BYTES && s->n_kept < KEPT_MAX) {
		s->kept[s->n_kept++] = *b;
		*b = BUF_EMPTY;
	}
	(void)pthread_mutex_unlock(&s->lock);
	buf_free(b);
}
