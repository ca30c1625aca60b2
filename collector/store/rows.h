/* What one checkpoint brings to the ledger: copies of everything that changed since the one before,
 * as of one LSN. Taken under the store's lock, written without it. */
#ifndef HAUL_COLLECTOR_STORE_ROWS_H
#define HAUL_COLLECTOR_STORE_ROWS_H

#include "collector/store/core.h"

struct rows {
	struct rows *next;
	struct ledger_meta meta;
	struct host *hosts;
	struct stream *streams; /* copies; texts, states and gaps are in `arena` */
	struct loss *losses;
	uint64_t *forgotten; /* rows of streams */
	size_t n_hosts, n_streams, n_losses, n_forgotten;
	char *arena;
	struct appender_report report;
};

/* With the store's lock held: what has changed moves to *ret. -ENOMEM: nothing has moved. */
int rows_take(struct store *s, struct rows **ret) MUST_CHECK;
void rows_free(struct rows *r);

/* Within a transaction. As ledger_put_... */
int rows_put(const struct rows *rows, struct ledger *l) MUST_CHECK;

#endif
