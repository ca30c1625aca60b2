/* What the ledger has of segments, for the janitor: see store.h. A transaction of its own beside
 * the checkpoint's, at the same LSN: sealing and deleting change no stream and no line.
 *
 * The copy of the ledger comes first. A segment that the ledger calls closed may still be live in
 * an older copy; were the ledger then lost, recovery would look for a file that sealing has taken
 * away. And who reads the copy must not miss a file that retention has taken. */
#include "collector/store/store.h"

#include "collector/store/core.h"

#include <errno.h>

int store_segments(struct store *s, int (*each)(void *user, const struct segment_row *row),
		   void *user)
{
	(void)pthread_mutex_lock(&s->ledger_lock);
	int r = ledger_read_segments(s->ledger, each, user);
	(void)pthread_mutex_unlock(&s->ledger_lock);
	return r;
}

int store_settle(struct store *s)
{
	(void)pthread_mutex_lock(&s->ledger_lock);
	int r = checkpoint_settle(s);
	(void)pthread_mutex_unlock(&s->ledger_lock);
	return r;
}

typedef int change(struct ledger *l, const struct segment_row *row);

static int change_all(struct ledger *l, change *one, const struct segment_row *rows, size_t n)
{
	struct ledger_meta meta;
	int r = ledger_read_meta(l, &meta);
	if (r == 0)
		r = ledger_begin(l);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n && r == 0; i++)
		r = one(l, &rows[i]);
	if (r == 0)
		return ledger_commit(l, &meta);
	ledger_rollback(l);
	return r;
}

static int with_ledger(struct store *s, change *one, const struct segment_row *rows, size_t n)
{
	(void)pthread_mutex_lock(&s->ledger_lock);
	int r = change_all(s->ledger, one, rows, n);
	if (r == -ENOSPC && room_drop_ballast(&s->tree))
		r = change_all(s->ledger, one, rows, n);
	if (r == 0)
		checkpoint_outdate(s);
	(void)pthread_mutex_unlock(&s->ledger_lock);
	return r;
}

int store_put_segments(struct store *s, const struct segment_row *rows, size_t n)
{
	return with_ledger(s, ledger_put_segment, rows, n);
}

int store_remove_segments(struct store *s, const struct segment_row *rows, size_t n)
{
	return with_ledger(s, ledger_remove_segment, rows, n);
}

const struct tree *store_tree(const struct store *s)
{
	return &s->tree;
}
