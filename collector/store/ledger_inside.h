/* The inside of the ledger, for its files only: ledger.c opens, copies and writes; ledger_read.c
 * reads. */
#ifndef HAUL_COLLECTOR_STORE_LEDGER_INSIDE_H
#define HAUL_COLLECTOR_STORE_LEDGER_INSIDE_H

#include "collector/store/ledger.h"

#include <sqlite3.h>

/* Those that write, prepared when they are needed first. */
enum statement {
	PUT_META,
	PUT_HOST,
	PUT_STREAM,
	REMOVE_STREAM,
	REMOVE_GAPS,
	PUT_GAP,
	PUT_SEGMENT,
	REMOVE_SEGMENT,
	ADD_LOSS,
	ADD_NOTE,
	LEDGER_STATEMENTS,
};

struct ledger {
	sqlite3 *db;
	sqlite3_stmt *statements[LEDGER_STATEMENTS];
};

/* What a segment's state is called there, by enum segment_state. */
enum { LEDGER_STATES = SEGMENT_STATE_DELETED + 1 };
extern const char *const ledger_state_names[LEDGER_STATES];

#endif
