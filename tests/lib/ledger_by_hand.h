/* Changes the rows of a ledger that is closed, as somebody would who knows of their sums: what the
 * rows say then is the reader's to judge.
 *
 * Included by one file of a test program. */
#ifndef HAUL_TESTS_LIB_LEDGER_BY_HAND_H
#define HAUL_TESTS_LIB_LEDGER_BY_HAND_H

#include "collector/store/ledger_schema.h"
#include "collector/store/sql.h"

#include <assert.h>
#include <stdio.h>

/* Each row gets the sum of what it says; new ones are inserted with any. */
static void ledger_add_sums(sqlite3 *db)
{
	for (size_t i = 0; i < LEDGER_TABLES; i++) {
		char text[512];
		(void)snprintf(text, sizeof(text), "UPDATE %s SET sum = row_sum(%s)",
			       ledger_tables[i].name, ledger_tables[i].columns);
		int r = sql_exec(db, text);
		assert(r == 0);
	}
}

static sqlite3 *ledger_open_by_hand(const char *path)
{
	sqlite3 *db = NULL;
	int code = sqlite3_open(path, &db);
	assert(code == SQLITE_OK);
	int r = sql_add_row_sum(db);
	assert(r == 0);
	return db;
}

#endif
