/* Rows on stdout: aligned text, JSON lines or CSV. */
#ifndef HAUL_COLLECTOR_QUERY_TABLE_H
#define HAUL_COLLECTOR_QUERY_TABLE_H

#include "collector/query/printer.h"

#define TABLE_COLUMNS_MAX 16

enum cell_kind {
	CELL_TEXT,   /* aligned to the left; "" is shown as - (JSON null, CSV nothing) */
	CELL_NUMBER, /* aligned to the right */
	CELL_BYTES,  /* a number; on a terminal in KiB, MiB ... */
	CELL_SHARE,  /* of 1; shown in percent */
	CELL_BAR,    /* of 1; shown as a bar, on a terminal only */
};

struct table_column {
	const char *name;
	enum cell_kind kind;
};

struct cell {
	struct span text;
	uint64_t number;
	double share;
};

struct table;

/* `columns` has n entries and outlives it, as does the printer. NULL when memory is short. */
struct table *table_new(struct printer *printer, const struct table_column *columns, size_t n);
void table_free(struct table *t);

/* Adds a row of n cells. Rows of text wait, some at least, so that columns can be made as wide as
 * they need to be. Errors of both: as of the printer. */
int table_add(struct table *t, const struct cell *cells) MUST_CHECK;
int table_flush(struct table *t) MUST_CHECK;

#endif
