/* Rows for the ledger: see rows.h. The checkpoint takes and puts them. Copying is a memcpy a row,
 * so that the lock is held for about a millisecond with some thousand rows. */
#include "collector/store/rows.h"

#include <errno.h>
#include <stdlib.h>

void rows_free(struct rows *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n_losses; i++)
		free(r->losses[i].text);
	free(r->hosts);
	free(r->streams);
	free(r->losses);
	free(r->forgotten);
	free(r->arena);
	appender_report_free(&r->report);
	free(r);
}

struct sizes {
	size_t hosts, streams, arena;
};

static size_t gaps_size(const struct stream *s)
{
	return s->n_gaps * sizeof(*s->gaps);
}

static size_t text_size(const struct stream *s)
{
	return (size_t)s->service_len + s->instance_len + s->path_len + s->state_len;
}

static struct sizes measure(struct store *s)
{
	struct sizes n = {0};
	for (struct list_node *l = list_first(&s->hosts.dirty); l;
	     l = list_next(&s->hosts.dirty, l))
		n.hosts++;
	for (struct list_node *l = list_first(&s->streams.dirty); l;
	     l = list_next(&s->streams.dirty, l)) {
		const struct stream *stream = LIST_ENTRY(l, struct stream, dirty);
		n.streams++;
		n.arena += gaps_size(stream) + text_size(stream);
	}
	return n;
}

static void *copy_bytes(char **at, const void *src, size_t len)
{
	char *dst = *at;
	if (len)
		memcpy(dst, src, len);
	*at += len;
	return dst;
}

/* Gaps first, all of them: they want to be aligned. */
static void copy_streams(struct store *s, struct rows *rows)
{
	char *at = rows->arena;
	size_t n = 0;
	for (struct list_node *l = list_first(&s->streams.dirty); l;
	     l = list_next(&s->streams.dirty, l)) {
		const struct stream *from = LIST_ENTRY(l, struct stream, dirty);
		rows->streams[n] = *from;
		rows->streams[n++].gaps = copy_bytes(&at, from->gaps, gaps_size(from));
	}
	for (size_t i = 0; i < n; i++) {
		struct stream *to = &rows->streams[i];
		to->text = copy_bytes(&at, to->text, text_size(to) - to->state_len);
		to->state = copy_bytes(&at, to->state, to->state_len);
	}
	for (struct list_node *l; (l = list_take_first(&s->streams.dirty));)
		LIST_ENTRY(l, struct stream, dirty)->gaps_changed = false;
	rows->n_streams = n;
}

static void copy_hosts(struct store *s, struct rows *rows)
{
	for (struct list_node *l; (l = list_take_first(&s->hosts.dirty));)
		rows->hosts[rows->n_hosts++] = *LIST_ENTRY(l, struct host, dirty);
}

int rows_take(struct store *s, struct rows **ret)
{
	struct sizes n = measure(s);
	struct rows *rows = calloc(1, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	rows->hosts = malloc(n.hosts * sizeof(*rows->hosts) + 1);
	rows->streams = malloc(n.streams * sizeof(*rows->streams) + 1);
	rows->arena = malloc(n.arena + 1);
	if (!rows->hosts || !rows->streams || !rows->arena) {
		rows_free(rows);
		return -ENOMEM;
	}
	copy_streams(s, rows);
	copy_hosts(s, rows);
	rows->losses = s->losses;
	rows->n_losses = s->n_losses;
	s->losses = NULL;
	s->n_losses = s->losses_capacity = 0;
	rows->forgotten = s->streams.forgotten;
	rows->n_forgotten = s->streams.n_forgotten;
	s->streams.forgotten = NULL;
	s->streams.n_forgotten = s->streams.forgotten_capacity = 0;
	rows->meta.lsn = s->lsn;
	rows->meta.last_session = s->hosts.last_session;
	memcpy(rows->meta.uuid, s->uuid, sizeof(rows->meta.uuid));
	*ret = rows;
	return 0;
}

int rows_put(const struct rows *rows, struct ledger *l)
{
	int r = 0;
	/* Before the others: one of them may have been born anew. */
	for (size_t i = 0; r == 0 && i < rows->n_forgotten; i++)
		r = ledger_remove_stream(l, rows->forgotten[i]);
	for (size_t i = 0; r == 0 && i < rows->n_hosts; i++)
		r = ledger_put_host(l, &rows->hosts[i]);
	for (size_t i = 0; r == 0 && i < rows->n_streams; i++)
		r = ledger_put_stream(l, &rows->streams[i]);
	for (size_t i = 0; r == 0 && i < rows->n_losses; i++)
		r = ledger_add_loss(l, &rows->losses[i]);
	for (size_t i = 0; r == 0 && i < rows->report.n_rows; i++)
		r = ledger_put_segment(l, &rows->report.rows[i]);
	for (size_t i = 0; r == 0 && i < rows->report.n_notes; i++)
		r = ledger_add_note(l, &rows->report.notes[i]);
	return r;
}
