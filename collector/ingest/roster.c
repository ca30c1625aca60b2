/* All hosts: see roster.h. Called by status and by the page of metrics. */
#include "collector/ingest/roster.h"

#include <errno.h>
#include <stdlib.h>

static void on_host(void *user, const struct store_host *h)
{
	struct roster *r = user;
	if (r->error || h->host.len > NAME_MAX_LEN)
		return;
	if (r->n == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 64;
		struct roster_row *rows = realloc(r->rows, cap * sizeof(*rows));
		if (!rows) {
			r->error = -ENOMEM;
			return;
		}
		r->rows = rows;
		r->cap = cap;
	}
	struct roster_row *row = &r->rows[r->n++];
	memcpy(row->host, h->host.ptr, h->host.len);
	row->host[h->host.len] = '\0';
	row->h = *h;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct roster_row *)a)->host, ((const struct roster_row *)b)->host);
}

int roster_take(struct roster *r, struct store *s, int64_t now_us)
{
	store_hosts(s, now_us, on_host, r);
	if (r->n)
		qsort(r->rows, r->n, sizeof(*r->rows), by_name);
	return r->error;
}

void roster_free(struct roster *r)
{
	free(r->rows);
	*r = (struct roster){0};
}

double roster_clock_offset_s(const struct store_host *h)
{
	return h->report_us ? (double)(h->report.time_us - h->report_us) / 1e6 : 0;
}
